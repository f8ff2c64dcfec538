import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryDisk } from "./memory_disk.ts";
import { createEvictionPolicy, evictionPolicyNames } from "../../../../src/eviction/policies.ts";
import {
  diskUsage,
  frameOf,
  openLog,
  pick,
  readVersion,
  seeded,
  withDirectory,
} from "./helpers.ts";

const DIRECTORY = "/log";
const LIMIT = 1024 * 1024;

test("what du counts stays within the limit after every single operation", async () => {
  await withDirectory(async (directory) => {
    const log = await openLog(directory, { maxBytes: LIMIT });
    const random = seeded(3);
    for (let at = 0; at < 1500; at++) {
      await log.put(`k${at}`, frameOf(`k${at}`, at, pick(random, 6000)), Infinity);
      if (at % 5 === 0) await log.flush();
      const used = diskUsage(directory);
      assert.ok(used <= LIMIT, `${used} bytes after ${at} puts`);
    }
    const { liveBytes, entries } = log.stats();
    assert.ok(liveBytes > LIMIT / 2, `only ${liveBytes} bytes are live`);
    assert.ok(entries > 150);
    await log.close();
    assert.ok(diskUsage(directory) <= LIMIT);
  });
});

test("open() brings a directory within a lower limit", async () => {
  await withDirectory(async (directory) => {
    const log = await openLog(directory, { maxBytes: 4 * LIMIT, segmentBytes: 32 * 1024 });
    for (let at = 0; at < 1000; at++) {
      await log.put(`k${at}`, frameOf(`k${at}`, at, 3000), Infinity);
    }
    await log.delete("k999");
    await log.put("k998", frameOf("k998", 5000, 3000), Infinity);
    await log.close();
    assert.ok(diskUsage(directory) > 2 * LIMIT);
    const again = await openLog(directory, { maxBytes: LIMIT, segmentBytes: 32 * 1024 });
    assert.ok(diskUsage(directory) <= LIMIT, `${diskUsage(directory)} bytes`);
    assert.equal(again.has("k999"), false);
    assert.ok([5000, -1].includes(await readVersion(again, "k998")));
    await again.close();
  });
});

test("entries that are read are carried over, and not much is written for that", async () => {
  for (const policy of evictionPolicyNames) {
    const log = await openLog(DIRECTORY, {
      fileLayer: new MemoryDisk(),
      maxBytes: 2 * LIMIT,
      policy: (limits) => createEvictionPolicy(policy, limits),
    });
    const random = seeded(9);
    let hotMisses = 0;
    for (let at = 0; at < 6000; at++) {
      // One in three is of a small hot set, and read often.
      const key = pick(random, 3) === 0 ? `hot${pick(random, 40)}` : `k${at}`;
      if (await readVersion(log, key) === -1) {
        if (key.startsWith("hot")) hotMisses++;
        await log.put(key, frameOf(key, at, 1500), Infinity);
      }
    }
    const stats = log.stats();
    assert.ok(stats.writeAmplification < 1.43, `${policy}: ${stats.writeAmplification}`);
    assert.ok(stats.segmentsReclaimed > 50, policy);
    // First in, first out misses 169; those that draw lots, between 40 and 70.
    if (policy !== "fifo") assert.ok(hotMisses <= 90, `${policy}: ${hotMisses} misses of 40`);
    await log.close();
  }
});

test("a log without a limit loses nothing when segments that are half dead are written anew", async () => {
  const disk = new MemoryDisk();
  const random = seeded(6);
  const log = await openLog(DIRECTORY, { fileLayer: disk, segmentBytes: 8 * 1024 });
  const held = new Map<string, number>();
  for (let at = 0; at < 3000; at++) {
    const key = `k${pick(random, 40)}`;
    await log.put(key, frameOf(key, at, pick(random, 1300)), Infinity);
    held.set(key, at);
    if (at % 50 !== 0) continue;
    for (const [each, version] of held) assert.equal(await readVersion(log, each), version, each);
  }
  assert.ok(log.stats().segmentsReclaimed > 100);
  assert.equal(log.stats().evictions, 0);
  assert.ok(disk.usage < 40 * 8 * 1024, `${disk.usage} bytes`);
  await log.close();
});

test("maxEntries holds at once, and after a restart", async () => {
  const disk = new MemoryDisk();
  const log = await openLog(DIRECTORY, { fileLayer: disk, maxEntries: 10 });
  for (let at = 0; at < 50; at++) {
    await log.put(`k${at}`, frameOf(`k${at}`, at), Infinity);
    assert.ok(log.stats().entries <= 10);
  }
  assert.equal(log.has("k39"), false);
  assert.equal(await readVersion(log, "k40"), 40);
  assert.equal(log.stats().evictions, 40);
  await log.close();
  const again = await openLog(DIRECTORY, { fileLayer: disk, maxEntries: 10 });
  assert.ok(again.stats().entries <= 10);
  assert.equal(await readVersion(again, "k49"), 49);
  await again.close();
});

test("put() declines what is too large, and the older value is gone", async () => {
  const log = await openLog(DIRECTORY, { fileLayer: new MemoryDisk(), maxBytes: LIMIT });
  await log.put("key", frameOf("key", 1), Infinity);
  const largest = log.maxFrameBytes("key");
  assert.equal(await log.put("key", frameOf("key", 2, largest - 64 - 8), Infinity), true);
  assert.equal(await log.put("key", frameOf("key", 3, largest + 100), Infinity), false);
  assert.equal(await log.get("key"), undefined);
  await log.close();
});

test("open() refuses options that cannot be kept", async () => {
  const bad = [
    { maxBytes: 1000 },
    { maxBytes: NaN },
    { maxEntries: 0 },
    { segmentBytes: 100 },
    { maxBytes: LIMIT, segmentBytes: LIMIT },
    { pollMs: -1 },
    { maxOpenFiles: 1 },
  ];
  for (const options of bad) {
    await assert.rejects(
      openLog(DIRECTORY, { fileLayer: new MemoryDisk(), ...options }),
      RangeError,
    );
  }
});

test("small segments of many short processes are merged", async () => {
  const disk = new MemoryDisk();
  for (let at = 0; at < 60; at++) {
    const log = await openLog(DIRECTORY, { fileLayer: disk });
    await log.put(`k${at}`, frameOf(`k${at}`, at), Infinity);
    await log.close();
  }
  const log = await openLog(DIRECTORY, { fileLayer: disk });
  assert.ok(log.stats().segments <= 20, `${log.stats().segments} segments`);
  for (let at = 0; at < 60; at++) assert.equal(await readVersion(log, `k${at}`), at);
  await log.close();
});

test("what nobody has asked for leaves before what was asked for", async () => {
  const log = await openLog(DIRECTORY, { fileLayer: new MemoryDisk(), maxEntries: 100 });
  const put = (key: string, probation: boolean): unknown =>
    log.put(key, frameOf(key, 1, 100), Infinity, { probation });
  for (let at = 0; at < 100; at++) await put(`asked ${at}`, false);
  for (let at = 0; at < 300; at++) await put(`guess ${at}`, true);
  const count = (kind: string, most: number): number =>
    Array.from({ length: most }, (_, at) => log.has(`${kind} ${at}`)).filter(Boolean).length;
  assert.equal(count("asked", 100), 90);
  assert.equal(count("guess", 300), 10);
  await log.get("guess 299");
  for (let at = 0; at < 50; at++) await put(`later ${at}`, false);
  assert.equal(log.has("guess 299"), true);
  assert.equal(count("guess", 299), 0);
  await log.close();
});
