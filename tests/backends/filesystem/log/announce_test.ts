import assert from "node:assert/strict";
import { test } from "node:test";
import { frameOf, openLog, readVersion } from "./helpers.ts";
import { diskError, MemoryDisk } from "./memory_disk.ts";

const clock = { now: () => 1_800_000_000_000, recent: () => 0, schedule: () => () => {} };
const SEGMENT_BYTES = 16 * 1024;

/** A log whose timers never fire: what lingers is written only when something else asks for it. */
function open(disk: MemoryDisk): ReturnType<typeof openLog> {
  const options = { clock, stopwatch: () => 0, segmentBytes: SEGMENT_BYTES };
  return openLog("/log", { fileLayer: disk, ...options });
}

/** What a process that was killed this instant leaves. */
function killed(disk: MemoryDisk): MemoryDisk {
  return disk.copy((path) => !path.endsWith(".own"));
}

function writesSince(disk: MemoryDisk, mark: number): number[] {
  return disk.trace.slice(mark).flatMap((change) =>
    change.kind === "write" ? [change.bytes.length] : []
  );
}

test("put() over a key that is there writes only its header before it resolves", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk);
  await log.put("key", frameOf("key", 1, 1000), Infinity);
  await log.flush();
  const mark = disk.trace.length;
  assert.equal(log.put("key", frameOf("key", 2, 1000), Infinity), true);
  assert.deepEqual(writesSince(disk, mark), [64 + 3]);
  assert.equal(await readVersion(log, "key"), 2);
  await log.close();
});

test("what put() has replaced never comes back after a kill, and is no damage", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk);
  for (const key of ["key", "other"]) await log.put(key, frameOf(key, 1, 500), Infinity);
  await log.flush();
  await log.put("new", frameOf("new", 1, 500), Infinity);
  await log.put("key", frameOf("key", 2, 500), Infinity);
  const left = killed(disk);
  for (let opening = 0; opening < 3; opening++) {
    const again = await open(left);
    assert.equal(await readVersion(again, "key"), -1);
    assert.equal(await readVersion(again, "other"), 1);
    assert.equal(await readVersion(again, "new"), -1);
    assert.deepEqual(again.reports, []);
    assert.equal(again.stats().corruptions, 0);
    // The second opening meets a hint in the place of the records.
    await again.close();
  }
  await log.close();
  const closed = await open(disk);
  for (const key of ["key", "new"]) assert.ok(await readVersion(closed, key) > 0, key);
  await closed.close();
});

test("a body that was cut anywhere leaves a miss, never what it replaced", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk);
  await log.put("key", frameOf("key", 1, 300), Infinity);
  await log.flush();
  await log.put("key", frameOf("key", 2, 300), Infinity);
  const path = disk.paths().find((name) => name.endsWith(".seg"))!;
  const announced = disk.bytes(path).length;
  await log.flush();
  const whole = disk.bytes(path).length;
  for (let end = announced; end <= whole; end++) {
    const left = killed(disk);
    left.set(path, left.bytes(path).slice(0, end));
    const again = await open(left);
    // Up to seven zeros behind the body are no part of it.
    const found = await readVersion(again, "key");
    if (end === whole) assert.equal(found, 2);
    else assert.notEqual(found, 1, `cut at ${end}`);
    await again.close();
  }
  await log.close();
});

test("another log waits for what was announced, and sees it once it is written", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk);
  await log.put("key", frameOf("key", 1, 500), Infinity);
  await log.flush();
  const other = await open(disk);
  await log.put("key", frameOf("key", 2, 500), Infinity);
  // More looks than a record that never becomes whole is waited for.
  for (let look = 0; look < 50; look++) other.refresh();
  assert.equal(await readVersion(other, "key"), 1);
  await log.flush();
  other.refresh();
  assert.equal(await readVersion(other, "key"), 2);
  await other.close();
  await log.close();
});

test("a segment is not ended before what was announced in it is written", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk);
  const keys = Array.from({ length: 40 }, (_, at) => `key-${at}`);
  for (const key of keys) await log.put(key, frameOf(key, 1, 700), Infinity);
  await log.flush();
  for (const [at, key] of keys.entries()) {
    await log.put(key, frameOf(key, 2, 100 * (at % 8)), Infinity);
    const again = await open(killed(disk));
    for (const replaced of keys.slice(0, at + 1)) {
      assert.notEqual(await readVersion(again, replaced), 1, `${replaced} after ${key}`);
    }
    await again.close();
  }
  await log.close();
});

test("records that replace others in one turn share a write", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk);
  const keys = Array.from({ length: 8 }, (_, at) => `key-${at}`);
  for (const key of keys) await log.put(key, frameOf(key, 1, 200), Infinity);
  await log.flush();
  const mark = disk.trace.length;
  const stored = keys.map((key) => log.put(key, frameOf(key, 2, 200), Infinity));
  assert.deepEqual(await Promise.all(stored), keys.map(() => true));
  assert.equal(writesSince(disk, mark).length, 2);
  const again = await open(killed(disk));
  for (const key of keys) assert.equal(await readVersion(again, key), 2);
  await again.close();
  await log.close();
});

test("a header that the disk does not take costs nothing but a whole write", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk);
  await log.put("key", frameOf("key", 1, 500), Infinity);
  await log.flush();
  let failures = 0;
  disk.before = (call, path) => {
    if (call !== "write" || !path.endsWith(".seg") || failures++ > 0) return;
    throw diskError("EIO");
  };
  assert.equal(await log.put("key", frameOf("key", 2, 500), Infinity), true);
  disk.before = () => {};
  const again = await open(killed(disk));
  assert.equal(await readVersion(again, "key"), 2);
  await again.close();
  await log.close();
  assert.deepEqual(log.reports, []);
});

test("put() with durability 'segment' writes all of what replaces another", async () => {
  const disk = new MemoryDisk();
  const options = { fileLayer: disk, clock, stopwatch: () => 0, segmentBytes: SEGMENT_BYTES };
  const log = await openLog("/log", { ...options, durability: "segment" });
  await log.put("key", frameOf("key", 1, 500), Infinity);
  await log.flush();
  assert.equal(await log.put("key", frameOf("key", 2, 500), Infinity), true);
  const again = await open(killed(disk));
  assert.equal(await readVersion(again, "key"), 2);
  await again.close();
  await log.close();
});
