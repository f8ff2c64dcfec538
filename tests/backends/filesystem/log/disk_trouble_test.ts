import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { diskError, FakeProcesses, MemoryDisk } from "./memory_disk.ts";
import {
  frameOf,
  mountTmpfs,
  openLog,
  pick,
  readVersion,
  seeded,
  versionOf,
  withDirectory,
} from "./helpers.ts";

const DIRECTORY = "/log";

/** A stopwatch that stands still until it is told to go on. */
function stopwatch(): { read: () => number; advance: (milliseconds: number) => void } {
  let now = 0;
  return { read: () => now, advance: (milliseconds) => now += milliseconds };
}

async function reopen(disk: MemoryDisk): ReturnType<typeof openLog> {
  const sound = disk.copy((path) => !path.endsWith(".own"));
  return await openLog(DIRECTORY, { fileLayer: sound, processTable: new FakeProcesses().spawn() });
}

test("short writes, short reads and interrupted calls are gone on with", async () => {
  const disk = new MemoryDisk();
  const random = seeded(5);
  disk.mostWritten = () => 1 + pick(random, 700);
  disk.mostRead = () => 1 + pick(random, 700);
  disk.before = (call) => {
    if (["read", "write"].includes(call) && pick(random, 4) === 0) throw diskError("EINTR");
  };
  for (const io of ["sync", "async"] as const) {
    const log = await openLog(DIRECTORY, { fileLayer: disk, io });
    for (let at = 0; at < 60; at++) {
      await log.put(`k${at}`, frameOf(`k${at}`, at, 900), Infinity);
    }
    await log.flush();
    for (let at = 0; at < 60; at++) assert.equal(await readVersion(log, `k${at}`), at);
    await log.close();
    assert.deepEqual(log.reports, []);
  }
});

test("a full disk loses a segment to make room, once", async () => {
  const disk = new MemoryDisk();
  const log = await openLog(DIRECTORY, { fileLayer: disk, segmentBytes: 32 * 1024 });
  for (let at = 0; at < 100; at++) await log.put(`k${at}`, frameOf(`k${at}`, at, 2000), Infinity);
  await log.flush();
  disk.capacity = disk.usage;
  for (let at = 100; at < 160; at++) {
    await log.put(`k${at}`, frameOf(`k${at}`, at, 2000), Infinity);
    await log.flush();
    assert.equal(await readVersion(log, `k${at}`), at);
  }
  assert.equal(log.stats().health, "healthy");
  assert.ok(log.stats().segmentsReclaimed > 0);
  assert.equal(await readVersion(log, "k0"), -1);
  await log.close();
});

test("a disk that takes no writes is read on, and written again once it does", async () => {
  for (const code of ["EIO", "EROFS", "ENOSPC"]) {
    const disk = new MemoryDisk();
    const time = stopwatch();
    const log = await openLog(DIRECTORY, {
      fileLayer: disk,
      durability: "batch",
      stopwatch: time.read,
    });
    await log.put("old", frameOf("old", 1), Infinity);
    await log.put("kept", frameOf("kept", 2), Infinity);
    disk.before = (call, path) => {
      if (call === "write" && !path.endsWith(".own") || call === "open" && path.endsWith(".tmp")) {
        throw diskError(code);
      }
    };
    assert.equal(await log.put("old", frameOf("old", 3), Infinity), false, code);
    assert.equal(log.stats().health, "degraded");
    assert.equal(await log.get("old"), undefined, "neither the new nor the older value");
    assert.equal(await readVersion(log, "kept"), 2);
    assert.equal(await log.put("new", frameOf("new", 4), Infinity), false);
    assert.equal(await log.delete("kept"), true);
    time.advance(600);
    assert.equal(await log.put("new", frameOf("new", 5), Infinity), false, "the probe fails");

    disk.before = () => {};
    assert.equal(await log.put("new", frameOf("new", 6), Infinity), false, "not probed yet");
    time.advance(40_000);
    assert.equal(await log.put("new", frameOf("new", 7), Infinity), true);
    assert.equal(log.stats().health, "healthy");
    assert.equal(await readVersion(log, "new"), 7);

    const again = await reopen(disk);
    assert.equal(again.has("old"), false, `${code}: what was replaced does not come back`);
    assert.equal(again.has("kept"), false, `${code}: what was deleted does not come back`);
    assert.equal(await readVersion(again, "new"), 7);
    await again.close();
    await log.close();
  }
});

test("what was cleared while the disk took no writes does not come back", async () => {
  const disk = new MemoryDisk();
  const time = stopwatch();
  const log = await openLog(DIRECTORY, { fileLayer: disk, stopwatch: time.read });
  await log.put("old", frameOf("old", 1), Infinity);
  await log.flush();
  disk.before = (call) => {
    if (call === "write") throw diskError("EIO");
  };
  assert.equal(await log.clear(), 1);
  await log.flush();
  disk.before = () => {};
  time.advance(60_000);
  await log.put("new", frameOf("new", 1), Infinity);
  await log.close();
  const again = await reopen(disk);
  assert.equal(again.has("old"), false);
  assert.equal(await readVersion(again, "new"), 1);
  await again.close();
});

test("a disk that fails for long is left alone, until a probe succeeds", async () => {
  const disk = new MemoryDisk();
  const time = stopwatch();
  const log = await openLog(DIRECTORY, { fileLayer: disk, stopwatch: time.read, io: "sync" });
  await log.put("key", frameOf("key", 1), Infinity);
  await log.flush();
  let calls = 0;
  disk.before = (call) => {
    calls++;
    if (call !== "list") throw diskError("EIO");
  };
  for (let at = 0; at < 100; at++) assert.equal(await log.get("key"), undefined);
  assert.equal(log.stats().health, "off");
  const callsBefore = calls;
  for (let at = 0; at < 100; at++) assert.equal(await log.get("key"), undefined);
  assert.equal(calls, callsBefore);
  disk.before = () => {};
  time.advance(60_000);
  assert.equal(await readVersion(log, "key"), 1);
  assert.equal(log.stats().health, "healthy");
  await log.close();
});

test("too many open files cost the cache of files, not the entry", async () => {
  const disk = new MemoryDisk();
  const log = await openLog(DIRECTORY, { fileLayer: disk, segmentBytes: 16 * 1024, io: "sync" });
  for (let at = 0; at < 100; at++) await log.put(`k${at}`, frameOf(`k${at}`, at, 1000), Infinity);
  await log.flush();
  disk.before = (call) => {
    if (call === "open" && disk.openFiles >= 4) throw diskError("EMFILE");
  };
  for (let at = 0; at < 100; at++) assert.equal(await readVersion(log, `k${at}`), at);
  assert.ok(disk.openFiles <= 4);
  disk.before = () => {};
  await log.close();
});

test("open files stay within their bound and are closed in the end", async () => {
  const disk = new MemoryDisk();
  const options = { fileLayer: disk, segmentBytes: 16 * 1024, maxOpenFiles: 3 };
  const log = await openLog(DIRECTORY, options);
  for (let at = 0; at < 100; at++) await log.put(`k${at}`, frameOf(`k${at}`, at, 1000), Infinity);
  await log.close();
  const again = await openLog(DIRECTORY, options);
  const random = seeded(2);
  for (let count = 0; count < 500; count++) {
    const at = pick(random, 100);
    assert.equal(await readVersion(again, `k${at}`), at);
    assert.ok(disk.openFiles <= 3);
  }
  await again.close();
  assert.equal(disk.openFiles, 0);
});

test("random failures never make get() throw, nor give a wrong value", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const disk = new MemoryDisk();
    const random = seeded(seed);
    const time = stopwatch();
    const log = await openLog(DIRECTORY, {
      fileLayer: disk,
      stopwatch: time.read,
      segmentBytes: 16 * 1024,
      maxBytes: 512 * 1024,
      durability: seed % 2 === 0 ? "batch" : "none",
    });
    const codes = ["EIO", "ENOSPC", "EMFILE", "EROFS"];
    const model = new Map<string, number>();
    for (let step = 0; step < 400; step++) {
      const share = step % 100 < 50 ? 0 : 8;
      disk.before = () => {
        if (share > 0 && pick(random, share) === 0) throw diskError(codes[pick(random, 4)]!);
      };
      time.advance(pick(random, 400));
      const key = `k${pick(random, 40)}`;
      const dice = pick(random, 10);
      if (dice < 4) {
        await log.put(key, frameOf(key, step, pick(random, 2000)), Infinity);
        model.set(key, step);
      } else if (dice < 5) {
        await log.delete(key);
        model.delete(key);
      } else {
        const found = versionOf(key, await log.get(key));
        assert.ok(found === -1 || found === model.get(key), `seed ${seed}: ${key} holds ${found}`);
      }
    }
    disk.before = () => {};
    time.advance(100_000);
    await log.put("last", frameOf("last", 1), Infinity);
    await log.close();
    const again = await reopen(disk);
    for (const key of [...model.keys(), ...Array.from({ length: 40 }, (_, at) => `k${at}`)]) {
      const found = await readVersion(again, key);
      assert.ok(
        found === -1 || found === model.get(key),
        `seed ${seed}: ${key} holds ${found} after reopening, not ${model.get(key)}`,
      );
    }
    await again.close();
  }
});

test("a real disk that fills up is lived with", async () => {
  await withDirectory(async (directory) => {
    // A file system of 2 MiB where this may be mounted; elsewhere a limit in its place.
    const isMounted = mountTmpfs(directory, "2m");
    const disk = new MemoryDisk();
    disk.capacity = 2 * 1024 * 1024;
    const log = await openLog(isMounted ? `${directory}/log` : DIRECTORY, {
      segmentBytes: 128 * 1024,
      ...(isMounted ? {} : { fileLayer: disk }),
    });
    let found = 0;
    const wrong: string[] = [];
    try {
      for (let at = 0; at < 1500; at++) {
        await log.put(`k${at}`, frameOf(`k${at}`, at, 3000), Infinity);
      }
      await log.flush();
      for (let at = 0; at < 1500; at++) {
        const version = await readVersion(log, `k${at}`);
        if (version !== -1 && version !== at) wrong.push(`k${at} holds ${version}`);
        if (version !== -1) found++;
      }
      assert.equal(log.stats().health, "healthy");
      assert.equal(await readVersion(log, "k1499"), 1499);
    } finally {
      await log.close();
      if (isMounted) execFileSync("umount", ["-l", directory]);
    }
    assert.deepEqual(wrong, []);
    assert.ok(found > 300, `only ${found} entries are left`);
  });
});
