import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeProcesses, MemoryDisk } from "./memory_disk.ts";
import { frameOf, openLog, readVersion, seeded } from "./helpers.ts";

const DIRECTORY = "/log";

/** A log of so many entries as a killed process leaves it: its segment has no hint. */
async function killedLog(entries: number, durability: "none" | "batch"): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const processes = new FakeProcesses();
  const log = await openLog(DIRECTORY, {
    fileLayer: disk,
    processTable: processes.spawn(),
    random: seeded(1),
    durability,
  });
  for (let at = 0; at < entries; at++) {
    await log.put(`k${at}`, frameOf(`k${at}`, at, 20 + at), Infinity);
    await log.flush();
  }
  return disk.copy((path) => !path.endsWith(".own"));
}

/** The same, closed in order. */
async function closedLog(entries: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const log = await openLog(DIRECTORY, { fileLayer: disk, random: seeded(1) });
  for (let at = 0; at < entries; at++) {
    // One key is there in an older version as well, which must not come back.
    const key = at === 1 ? "k0" : `k${at}`;
    await log.put(key, frameOf(key, at, at % 8), Infinity);
  }
  await log.close();
  return disk;
}

function open(disk: MemoryDisk): ReturnType<typeof openLog> {
  return openLog(DIRECTORY, { fileLayer: disk, processTable: new FakeProcesses().spawn("next") });
}

function only(disk: MemoryDisk, ending: string): string {
  const found = disk.paths().filter((path) => path.endsWith(ending));
  assert.equal(found.length, 1);
  return found[0]!;
}

test("a segment that ends anywhere in its last records gives all whole ones and no others", async () => {
  const disk = await killedLog(12, "none");
  const path = only(disk, ".seg");
  const whole = disk.bytes(path);
  const starts = recordStarts(whole);
  assert.equal(starts.length, 12);
  for (let length = starts[9]!; length <= whole.length; length++) {
    const cut = disk.copy();
    cut.set(path, whole.slice(0, length));
    const log = await open(cut);
    for (let at = 0; at < 12; at++) {
      const end = starts[at + 1] ?? whole.length;
      assert.equal(
        await readVersion(log, `k${at}`),
        length >= end ? at : -1,
        `k${at} of ${length} bytes`,
      );
    }
    // What was cut does not stand in the way of what comes.
    assert.equal(await log.put("k11", frameOf("k11", 99), Infinity), true);
    await log.close();
    const again = await open(cut);
    assert.equal(await readVersion(again, "k11"), 99);
    await again.close();
  }
});

/** Flips are shared out among so many tests, each of which has to end before a runner's patience does. */
const PARTS = 5;

for (let part = 0; part < PARTS; part++) {
  test(`a flipped byte anywhere in a segment costs at most the entry it is in (${part})`, async () => {
    await flipSegment(part);
  });
}

async function flipSegment(part: number): Promise<void> {
  const disk = await closedLog(50);
  await flipEach(disk, only(disk, ".seg"), part, PARTS, async (log, where) => {
    let missing = 0;
    for (let at = 2; at < 50; at++) {
      const found = await readVersion(log, `k${at}`);
      assert.ok(found === at || found === -1, where);
      if (found === -1) missing++;
    }
    const first = await readVersion(log, "k0");
    assert.ok(first === 1 || first === -1, `${where}: k0 holds ${first}`);
    if (first === -1) missing++;
    assert.ok(missing <= 1, where);
  });
}

test("a flipped byte anywhere in a hint costs nothing", async () => {
  const disk = await closedLog(50);
  await flipEach(disk, only(disk, ".hint"), 0, 1, async (log, where) => {
    for (let at = 2; at < 50; at++) assert.equal(await readVersion(log, `k${at}`), at, where);
    assert.equal(await readVersion(log, "k0"), 1, where);
  });
});

test("a flipped byte anywhere in a segment without a hint costs at most one entry", async () => {
  const disk = await killedLog(12, "batch");
  await flipEach(disk, only(disk, ".seg"), 0, 1, async (log, where) => {
    let missing = 0;
    for (let at = 0; at < 12; at++) {
      const found = await readVersion(log, `k${at}`);
      assert.ok(found === at || found === -1, where);
      if (found === -1) missing++;
    }
    assert.ok(missing <= 1, where);
  });
});

test("a damaged value in a segment without a hint does not bring the older one back", async () => {
  for (const durability of ["none", "batch"] as const) {
    const disk = new MemoryDisk();
    const log = await openLog(DIRECTORY, { fileLayer: disk, random: seeded(1), durability });
    for (const [at, key] of ["key", "key", "other"].entries()) {
      await log.put(key, frameOf(key, at), Infinity);
      await log.flush();
    }
    const killed = disk.copy((path) => !path.endsWith(".own"));
    const path = only(killed, ".seg");
    const start = recordStarts(killed.bytes(path))[1]!;
    for (let at = start + 72; at < start + 72 + 64 + 64; at++) {
      const flipped = killed.copy();
      flipped.bytes(path)[at]! ^= 0x10;
      const again = await open(flipped);
      assert.equal(await again.get("key"), undefined, `byte ${at}, ${durability}`);
      assert.equal(await readVersion(again, "other"), 2);
      assert.equal(again.reports.length, 1);
      await again.close();
    }
  }
});

test("a damaged manifest is left as it is, and a directory below used", async () => {
  const disk = await closedLog(5);
  const manifest = `${DIRECTORY}/MANIFEST`;
  const bytes = disk.bytes(manifest).slice();
  bytes[8]! ^= 7;
  disk.set(manifest, bytes);
  const before = disk.paths();
  const log = await open(disk);
  assert.equal(log.directory, `${DIRECTORY}/v1-1`);
  assert.equal(log.reports.length, 1);
  assert.equal(await log.get("k2"), undefined);
  await log.put("k2", frameOf("k2", 7), Infinity);
  await log.close();
  for (const path of before) assert.ok(disk.paths().includes(path), path);
  assert.deepEqual(disk.bytes(manifest), bytes);
  const again = await open(disk);
  assert.equal(await readVersion(again, "k2"), 7);
  await again.close();
});

test("a value that holds a copy of its segment is never taken for records", async () => {
  const disk = await killedLog(5, "none");
  const copy = disk.bytes(only(disk, ".seg"));
  const inner = new MemoryDisk();
  const log = await openLog(DIRECTORY, { fileLayer: inner, random: seeded(1) });
  const frame = frameOf("outer", 1, copy.length + 8);
  frame.set(copy, 64);
  await log.put("outer", frame, Infinity);
  await log.flush();
  const killed = inner.copy((path) => !path.endsWith(".own"));
  const path = only(killed, ".seg");
  // Without the record's magic number the scan goes through the value itself.
  const bytes = killed.bytes(path).slice();
  bytes[64]! ^= 0xff;
  killed.set(path, bytes);
  const again = await open(killed);
  assert.equal(again.stats().entries, 0);
  await again.close();
});

async function flipEach(
  disk: MemoryDisk,
  path: string,
  first: number,
  stride: number,
  check: (log: Awaited<ReturnType<typeof openLog>>, where: string) => Promise<void>,
): Promise<void> {
  const sound = disk.bytes(path);
  const random = seeded(first);
  for (let at = first; at < sound.length; at += stride) {
    const flipped = disk.copy();
    const bytes = sound.slice();
    bytes[at]! ^= 1 << random() % 8;
    flipped.set(path, bytes);
    const log = await open(flipped);
    await check(log, `byte ${at} of ${path}`);
    await log.close();
  }
}

function recordStarts(segment: Uint8Array): number[] {
  const view = new DataView(segment.buffer, segment.byteOffset, segment.length);
  const starts: number[] = [];
  for (let at = 64; at < segment.length;) {
    starts.push(at);
    const keyLength = view.getUint32(at + 12, true);
    const bodyLength = view.getUint32(at + 16, true);
    at += 64 + Math.ceil(keyLength / 8) * 8 + Math.ceil(bodyLength / 8) * 8;
  }
  return starts;
}
