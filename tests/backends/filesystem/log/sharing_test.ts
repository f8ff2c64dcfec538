import assert from "node:assert/strict";
import { test } from "node:test";
import { networkFileSystem } from "../../../../backends/filesystem/log/network_file_system.ts";
import { FakeProcesses, MemoryDisk } from "./memory_disk.ts";
import { frameOf, openLog, readVersion, withDirectory } from "./helpers.ts";

const DIRECTORY = "/log";

/** A stopwatch that stands still until it is told to go on. */
function stopwatch(): { read: () => number; advance: (milliseconds: number) => void } {
  let now = 0;
  return { read: () => now, advance: (milliseconds) => now += milliseconds };
}

async function two(): Promise<{
  first: Awaited<ReturnType<typeof openLog>>;
  second: Awaited<ReturnType<typeof openLog>>;
  disk: MemoryDisk;
  time: ReturnType<typeof stopwatch>;
}> {
  const disk = new MemoryDisk();
  const processes = new FakeProcesses();
  const time = stopwatch();
  const open = () =>
    openLog(DIRECTORY, {
      fileLayer: disk,
      processTable: processes.spawn(),
      stopwatch: time.read,
      segmentBytes: 16 * 1024,
    });
  return { first: await open(), second: await open(), disk, time };
}

test("refresh() shows at once what another log has put, replaced, deleted and cleared", async () => {
  const { first, second } = await two();
  await first.put("a", frameOf("a", 1), Infinity);
  await first.put("b", frameOf("b", 2), Infinity);
  await first.flush();
  assert.equal(await readVersion(second, "a"), -1);
  second.refresh();
  assert.equal(await readVersion(second, "a"), 1);
  await second.put("a", frameOf("a", 3), Infinity);
  assert.equal(await second.delete("b"), true);
  first.refresh();
  assert.equal(await readVersion(first, "a"), 3);
  assert.equal(await readVersion(first, "b"), -1);
  assert.equal(await first.delete("b"), false);
  assert.equal(await first.clear(), 1);
  second.refresh();
  assert.equal(await readVersion(second, "a"), -1);
  await second.put("a", frameOf("a", 4), Infinity);
  first.refresh();
  assert.equal(await readVersion(first, "a"), 4);
  await first.close();
  await second.close();
});

test("a use that begins pollMs after a write sees it", async () => {
  const { first, second, time } = await two();
  await first.put("a", frameOf("a", 1), Infinity);
  await first.flush();
  time.advance(99);
  assert.equal(second.has("a"), false);
  time.advance(1);
  assert.equal(second.has("a"), true);
  assert.equal(await first.delete("a"), true);
  time.advance(100);
  assert.equal(await second.get("a"), undefined);
  await first.close();
  await second.close();
});

test("what comes while a log is opened is seen within pollMs of its look at the directory", async () => {
  const { first, disk, time } = await two();
  const list = disk.list.bind(disk);
  // A process that is held up once it has read the names.
  disk.list = (path) => {
    const names = list(path);
    time.advance(60);
    return names;
  };
  const late = await openLog(DIRECTORY, {
    fileLayer: disk,
    processTable: new FakeProcesses().spawn(),
    stopwatch: time.read,
    pollMs: 100,
  });
  disk.list = list;
  await first.put("a", frameOf("a", 1), Infinity);
  await first.flush();
  time.advance(99);
  assert.equal(await readVersion(late, "a"), 1);
  await first.close();
  await late.close();
});

test("delete() reaches what another log has put unseen", async () => {
  const { first, second } = await two();
  await second.put("other", frameOf("other", 1), Infinity);
  await second.flush();
  await first.put("key", frameOf("key", 1), Infinity);
  await first.flush();
  second.refresh();
  await first.put("unseen", frameOf("unseen", 1), Infinity);
  await first.flush();
  await second.delete("unseen");
  first.refresh();
  second.refresh();
  assert.equal(first.has("unseen"), false);
  assert.equal(second.has("unseen"), false);
  await first.close();
  await second.close();
});

test("delete() reaches what a log has put that was opened since the last look", async () => {
  const { first, second, time } = await two();
  await first.put("own", frameOf("own", 1), Infinity);
  await first.flush();
  assert.equal(await first.delete("own"), true);
  await second.put("theirs", frameOf("theirs", 2), Infinity);
  await second.flush();
  assert.equal(await first.delete("theirs"), true, "not an instant later");
  time.advance(100);
  assert.equal(await first.get("theirs"), undefined);
  assert.equal(await second.get("theirs"), undefined);
  await first.close();
  await second.close();
});

test("an entry survives that another log carries over while this one looks away", async () => {
  const disk = new MemoryDisk();
  const processes = new FakeProcesses();
  const options = { fileLayer: disk, maxBytes: 256 * 1024, io: "sync" as const };
  const first = await openLog(DIRECTORY, { ...options, processTable: processes.spawn() });
  const second = await openLog(DIRECTORY, { ...options, processTable: processes.spawn() });
  let version = 0;
  const held = new Map<string, number>();
  for (let round = 0; round < 400; round++) {
    const log = round % 40 < 20 ? first : second;
    const key = `k${round % 90}`;
    held.set(key, ++version);
    await log.put(key, frameOf(key, version, 900), Infinity);
    await log.flush();
    assert.ok(disk.usage <= 256 * 1024, `${disk.usage} bytes`);
    if (round % 40 === 39) {
      first.refresh();
      second.refresh();
      for (const [each, newest] of held) {
        for (const reader of [first, second]) {
          const found = await readVersion(reader, each);
          assert.ok(found === -1 || found === newest, `${each} holds ${found}, not ${newest}`);
        }
      }
    }
  }
  assert.ok(first.stats().segmentsReclaimed + second.stats().segmentsReclaimed > 0);
  await first.close();
  await second.close();
});

test("what was cleared stays so when the segment that says it is reclaimed", async () => {
  const disk = new MemoryDisk();
  const processes = new FakeProcesses();
  const options = { fileLayer: disk, maxBytes: 256 * 1024 };
  const idle = await openLog(DIRECTORY, { ...options, processTable: processes.spawn() });
  await idle.put("old", frameOf("old", 1), Infinity);
  await idle.flush();
  const busy = await openLog(DIRECTORY, { ...options, processTable: processes.spawn() });
  assert.equal(await busy.clear(), 1);
  for (let at = 0; at < 600; at++) {
    await busy.put(`k${at}`, frameOf(`k${at}`, at, 1000), Infinity);
  }
  await busy.flush();
  assert.ok(busy.stats().segmentsReclaimed > 10);
  const after = disk.copy((path) => !path.endsWith(".own"));
  const again = await openLog(DIRECTORY, { ...options, fileLayer: after });
  assert.equal(again.has("old"), false);
  assert.equal(await readVersion(again, "k599"), 599);
  await again.close();
  await busy.close();
  await idle.close();
});

test("what was deleted stays so when the segment that says it is reclaimed", async () => {
  const disk = new MemoryDisk();
  const processes = new FakeProcesses();
  const options = { fileLayer: disk, maxBytes: 256 * 1024 };
  const idle = await openLog(DIRECTORY, { ...options, processTable: processes.spawn() });
  for (const key of ["deleted", "replaced"]) await idle.put(key, frameOf(key, 1), Infinity);
  await idle.flush();
  const busy = await openLog(DIRECTORY, { ...options, processTable: processes.spawn() });
  assert.equal(await busy.delete("deleted"), true);
  await busy.put("replaced", frameOf("replaced", 2), Infinity);
  for (let at = 0; at < 600; at++) {
    await busy.put(`k${at}`, frameOf(`k${at}`, at, 1000), Infinity);
  }
  await busy.flush();
  assert.equal(busy.has("replaced"), false, "it is evicted by now");
  const after = disk.copy((path) => !path.endsWith(".own"));
  const again = await openLog(DIRECTORY, { ...options, fileLayer: after });
  assert.equal(again.has("deleted"), false);
  assert.equal(again.has("replaced"), false);
  await again.close();
  await busy.close();
  await idle.close();
});

test("the segments and the lock of a killed log are taken over", async () => {
  const disk = new MemoryDisk();
  const processes = new FakeProcesses();
  const table = processes.spawn();
  const first = await openLog(DIRECTORY, { fileLayer: disk, processTable: table });
  await first.put("a", frameOf("a", 1), Infinity);
  await first.flush();
  const lock = `${DIRECTORY}/space.lock`;
  const owner = disk.paths().find((path) => path.endsWith(".own"))!;
  const file = disk.open(lock, "create");
  const identity = disk.bytes(owner);
  disk.write(file, identity, 0, identity.length, 0);
  disk.close(file);
  processes.kill(table.pid);

  const second = await openLog(DIRECTORY, { fileLayer: disk, processTable: processes.spawn() });
  assert.equal(await readVersion(second, "a"), 1);
  await second.put("b", frameOf("b", 2), Infinity);
  await second.flush();
  assert.equal(disk.paths().includes(lock), false);
  assert.equal(disk.paths().filter((path) => path.endsWith(".hint")).length, 1);
  assert.equal(await readVersion(second, "b"), 2);
  await second.close();
});

test("a process that got the number of a killed one is not mistaken for it", async () => {
  const disk = new MemoryDisk();
  const processes = new FakeProcesses();
  const table = processes.spawn();
  const first = await openLog(DIRECTORY, { fileLayer: disk, processTable: table });
  await first.put("a", frameOf("a", 1), Infinity);
  await first.flush();
  processes.recycle(table.pid);
  const second = await openLog(DIRECTORY, { fileLayer: disk, processTable: processes.spawn() });
  assert.equal(disk.paths().filter((path) => path.endsWith(".hint")).length, 1);
  assert.equal(disk.paths().filter((path) => path.endsWith(".own")).length, 0);
  await second.close();
});

test("a living log's segment is not taken over", async () => {
  const { first, second, disk } = await two();
  await first.put("a", frameOf("a", 1), Infinity);
  await first.flush();
  await second.put("b", frameOf("b", 2), Infinity);
  await second.flush();
  assert.equal(disk.paths().filter((path) => path.endsWith(".hint")).length, 0);
  assert.equal(disk.paths().filter((path) => path.endsWith(".own")).length, 2);
  await first.close();
  await second.close();
  assert.equal(disk.paths().filter((path) => path.endsWith(".own")).length, 0);
});

test("where processes cannot be looked up, a holder lives as long as it counts", async () => {
  const disk = new MemoryDisk();
  const time = stopwatch();
  const table = (pid: number) => ({
    self: () => ({ pid, started: "", boot: "", space: "" }),
    started: () => undefined,
  });
  let beat = (): void => {};
  const clock = {
    now: () => 1_000,
    recent: () => 1_000,
    schedule: (callback: () => void, delay: number): () => void => {
      if (delay >= 1000) beat = callback;
      else queueMicrotask(callback);
      return () => {};
    },
  };
  const first = await openLog(DIRECTORY, {
    fileLayer: disk,
    processTable: table(1),
    stopwatch: time.read,
    clock,
  });
  await first.put("a", frameOf("a", 1), Infinity);
  await first.flush();
  const second = await openLog(DIRECTORY, {
    fileLayer: disk,
    processTable: table(2),
    stopwatch: time.read,
  });
  const isAdopted = async (): Promise<boolean> => {
    second.refresh();
    const observer = await openLog(DIRECTORY, {
      fileLayer: disk,
      processTable: table(3),
      stopwatch: time.read,
    });
    await observer.close();
    await second.put("b", frameOf("b", 2), Infinity);
    await second.flush();
    return disk.paths().some((path) => path.endsWith("-0000.hint"));
  };
  assert.equal(await isAdopted(), false);
  for (let count = 0; count < 5; count++) {
    time.advance(10_000);
    beat();
    second.refresh();
  }
  assert.equal(await isAdopted(), false);
  time.advance(20_000);
  second.refresh();
  assert.equal(await readVersion(second, "a"), 1);
  await second.close();
  await first.close();
});

test("clocks that jump do not bring back what was replaced", async () => {
  const disk = new MemoryDisk();
  const processes = new FakeProcesses();
  let now = 2_000_000_000_000;
  const clock = { now: () => now, recent: () => now, schedule: () => () => {} };
  const open = () =>
    openLog(DIRECTORY, { fileLayer: disk, processTable: processes.spawn(), clock });
  const first = await open();
  await first.put("a", frameOf("a", 1), Infinity);
  await first.flush();
  now -= 100_000_000;
  const second = await open();
  await second.put("a", frameOf("a", 2), Infinity);
  first.refresh();
  assert.equal(await readVersion(first, "a"), 2);
  now -= 100_000_000;
  assert.equal(await first.delete("a"), true);
  second.refresh();
  assert.equal(second.has("a"), false);
  await first.close();
  await second.close();
  const third = await open();
  assert.equal(third.has("a"), false);
  await third.close();
});

test("on a network file system each process has a directory of its own, with a report", async () => {
  const disk = new MemoryDisk();
  disk.fileSystem = () => 0x6969;
  const first = await openLog(DIRECTORY, { fileLayer: disk });
  const second = await openLog(DIRECTORY, { fileLayer: disk });
  assert.equal(first.directory, `${DIRECTORY}/own-0`);
  assert.equal(second.directory, `${DIRECTORY}/own-1`);
  assert.match(String(first.reports[0]?.error), /is on NFS/);
  await first.put("a", frameOf("a", 1), Infinity);
  await first.close();
  const third = await openLog(DIRECTORY, { fileLayer: disk });
  assert.equal(await readVersion(third, "a"), 1);
  await third.close();
  await second.close();
  assert.equal(networkFileSystem(0xef53), undefined);
  assert.equal(networkFileSystem(-11317950), "CIFS");
});

test("a reader keeps reading what it has open, and misses it once it knows that it is gone", async () => {
  await withDirectory(async (directory) => {
    const writer = await openLog(directory, { segmentBytes: 16 * 1024 });
    for (let at = 0; at < 40; at++) {
      await writer.put(`k${at}`, frameOf(`k${at}`, at, 900), Infinity);
    }
    await writer.flush();
    const reader = await openLog(directory, { pollMs: 1_000_000, io: "sync" });
    assert.equal(await readVersion(reader, "k1"), 1);
    assert.equal(await writer.clear(), 40);
    await writer.flush();
    assert.ok([1, -1].includes(await readVersion(reader, "k1")));
    reader.refresh();
    assert.equal(await readVersion(reader, "k1"), -1);
    assert.equal(reader.stats().entries, 0);
    await writer.close();
    await reader.close();
  });
});
