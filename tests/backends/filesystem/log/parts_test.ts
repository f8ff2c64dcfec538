import assert from "node:assert/strict";
import { test } from "node:test";
import { EntryIndex, NO_SEGMENT } from "../../../../backends/filesystem/log/index.ts";
import { IoMeter } from "../../../../backends/filesystem/log/io_meter.ts";
import { KeyHash } from "../../../../backends/_key_hash.ts";
import {
  decodeIdentity,
  encodeIdentity,
  procTable,
} from "../../../../backends/filesystem/log/identity.ts";
import { DirectoryLock } from "../../../../backends/filesystem/log/directory_lock.ts";
import { Witness } from "../../../../backends/filesystem/log/identity.ts";
import {
  makeBlock,
  makeRecordHeader,
  readHeader,
  readKey,
  recordLength,
  sealHeader,
  writeHeader,
  writeKey,
} from "../../../../backends/filesystem/log/record.ts";
import { FakeProcesses, MemoryDisk } from "./memory_disk.ts";
import { pick, seeded } from "./helpers.ts";

test("EntryIndex holds what a Map holds, through growth and removal", () => {
  const random = seeded(4);
  const index = new EntryIndex();
  const model = new Map<string, number>();
  let peak = 0;
  for (let step = 0; step < 100_000; step++) {
    // Few distinct low halves make long runs of collisions.
    const low = pick(random, 500);
    const high = (pick(random, 40) << 26 | pick(random, 5)) >>> 0;
    const name = `${low}:${high}`;
    const slot = index.find(low, high);
    const known = model.get(name);
    assert.equal(slot === -1, known === undefined);
    if (slot === -1) {
      const added = index.insert(low, high);
      assert.equal(index.segment(added), NO_SEGMENT);
      index.setOrder(added, step, step & 0xffff);
      index.setPlace(added, step % 60_000, step * 8);
      index.addRecords(added, 3);
      model.set(name, step);
    } else {
      assert.equal(index.stamp(slot), known);
      assert.equal(index.author(slot), known! & 0xffff);
      assert.equal(index.segment(slot), known! % 60_000);
      assert.equal(index.offset(slot), known! * 8);
      assert.equal(index.records(slot), 3);
      if (pick(random, 2) === 0) {
        index.remove(slot);
        model.delete(name);
      }
    }
    assert.equal(index.size, model.size);
    peak = Math.max(peak, index.size);
  }
  assert.equal(index.slots, peak, "slots are reused");
});

test("EntryIndex takes at most 56 bytes for each of a million entries", () => {
  const random = seeded(8);
  const index = new EntryIndex();
  for (let at = 0; at < 1_000_000; at++) index.insert(random(), random());
  assert.ok(index.bytes / index.size <= 56, `${index.bytes / index.size} bytes`);
});

test("KeyHash tells keys apart that differ in little, and depends on its seed", () => {
  const hash = new KeyHash(1, 2);
  const of = (key: string): string => {
    hash.of(key);
    return `${hash.low}:${hash.high}`;
  };
  const keys = ["", "\0", "\0\0", "a", "b", "aa", "aaa", "a\0", "\ud800", "\udc00"];
  for (let at = 0; at < 100_000; at++) keys.push(`key-${at}`);
  assert.equal(new Set(keys.map(of)).size, keys.length);
  const lows = new Set(keys.map((key) => of(key).split(":")[0]));
  assert.ok(lows.size > keys.length - 10, "each half is a hash of its own");
  const other = new KeyHash(1, 3);
  other.of("a");
  assert.notEqual(`${other.low}:${other.high}`, of("a"));
  assert.equal(of("golden"), "2770058975:200728133");
});

test("a record header comes back as it was written, and nowhere else", () => {
  const block = makeBlock(512);
  for (const key of ["", "a", "ümläut", "\ud800x", "x".repeat(50)]) {
    const header = { ...makeRecordHeader(), kind: 1, stamp: 123.5, expires: Infinity, author: 7 };
    const written = writeKey(key, block, 64);
    header.flags = written < 0 ? 1 : 0;
    header.keyLength = written < 0 ? -written - 1 : written;
    header.bodyLength = 12;
    writeHeader(block, 0, header);
    sealHeader(block, 0, 99, 4096, 64);
    const read = makeRecordHeader();
    assert.equal(readHeader(block, 0, 512, 99, 4096, read), recordLength(header.keyLength, 12));
    assert.deepEqual(read, { ...header, durableTo: 64 });
    assert.equal(readKey(block.bytes.subarray(64, 64 + read.keyLength), read.flags), key);
    assert.equal(readHeader(block, 0, 512, 99, 4104, read), 0);
    assert.equal(readHeader(block, 0, 512, 98, 4096, read), 0);
    assert.equal(readHeader(block, 0, 63, 99, 4096, read), 0);
  }
});

test("IoMeter goes over to asynchronous reads when a disk is slow, and comes back", () => {
  let now = 0;
  const meter = new IoMeter("auto", () => now);
  const read = (milliseconds: number): void => {
    const began = meter.begin();
    now += milliseconds;
    meter.end(began);
  };
  for (let at = 0; at < 100; at++) read(0.002);
  assert.equal(meter.isAsync, false);
  for (let at = 0; at < 1000; at++) read(at % 91 === 0 ? 30 : 0.002);
  assert.equal(meter.isAsync, false, "single slow reads may be a busy machine");
  for (let at = 0; at < 12 && !meter.isAsync; at++) read(8);
  assert.equal(meter.isAsync, true);
  now += 999;
  assert.equal(meter.isAsync, true);
  now += 1;
  assert.equal(meter.isAsync, false);
  for (let at = 0; at < 12 && !meter.isAsync; at++) read(8);
  assert.equal(meter.isAsync, true, "it is still slow");
  now += 1000;
  assert.equal(meter.isAsync, true, "it is left alone for longer");
  now += 1000;
  for (let at = 0; at < 100; at++) read(0.002);
  assert.equal(meter.isAsync, false);
});

test("a lock is broken once, however many see its dead holder, also when a breaker dies", () => {
  const disk = new MemoryDisk();
  const processes = new FakeProcesses();
  const holders = Array.from({ length: 4 }, (_, at) => {
    const table = processes.spawn();
    const witness = new Witness(table, `token${at}`, () => 0, true);
    return { table, lock: new DirectoryLock(disk, "/log", "space.lock", witness) };
  });
  const [dead, breaker, third, fourth] = holders;
  assert.equal(dead!.lock.tryAcquire(), true);
  assert.equal(third!.lock.tryAcquire(), false);
  processes.kill(dead!.table.pid);
  // The breaker dies after it has taken the right to break the lock, before it used it.
  disk.before = (call, path) => {
    if (call === "unlink" && path === "/log/space.lock") throw new Error("killed");
  };
  assert.throws(() => breaker!.lock.tryAcquire());
  disk.before = () => {};
  assert.equal(third!.lock.tryAcquire(), false, "the breaker is at it, for all that is known");
  processes.kill(breaker!.table.pid);
  assert.equal(third!.lock.tryAcquire(), true);
  assert.equal(fourth!.lock.tryAcquire(), false);
  third!.lock.release();
  assert.equal(fourth!.lock.tryAcquire(), true);
  third!.lock.release();
  assert.equal(third!.lock.tryAcquire(), false, "only its holder can release it");
  assert.deepEqual(disk.paths(), ["/log/space.lock"]);
});

test("a dead holder's lock that another takes over in between is left to that one", () => {
  const disk = new MemoryDisk();
  const processes = new FakeProcesses();
  const make = (token: string) => {
    const table = processes.spawn();
    const witness = new Witness(table, token, () => 0, true);
    return { table, lock: new DirectoryLock(disk, "/log", "space.lock", witness) };
  };
  const dead = make("dead");
  const slow = make("slow");
  const quick = make("quick");
  assert.equal(dead.lock.tryAcquire(), true);
  processes.kill(dead.table.pid);
  // While the slow one has read the dead holder's lock and not yet taken the right, the quick one does it all.
  let isFirst = true;
  disk.before = (call, path) => {
    if (call === "link" && path.startsWith("/log/break-") && isFirst) {
      isFirst = false;
      assert.equal(quick.lock.tryAcquire(), true);
    }
  };
  assert.equal(slow.lock.tryAcquire(), false);
  disk.before = () => {};
  quick.lock.release();
  assert.equal(slow.lock.tryAcquire(), true);
});

test("an identity survives its file, and strange bytes are none", () => {
  const identity = { ...procTable.self(), token: "abc" };
  const bytes = encodeIdentity(identity, 17);
  assert.deepEqual(decodeIdentity(bytes), { identity, beat: "0000000000000011" });
  for (let length = 0; length < bytes.length - 2; length++) {
    assert.equal(decodeIdentity(bytes.slice(0, length)), undefined);
  }
  const witness = new Witness(procTable, "other", () => 0, true);
  assert.equal(witness.isAlive(bytes), true, "this very process");
  assert.equal(witness.isAlive(new Uint8Array(40)), false);
  const gone = encodeIdentity({ ...identity, started: "1" }, 0);
  assert.equal(witness.isAlive(gone), false, "the number of a process that began at another time");
  const rebooted = encodeIdentity({ ...identity, boot: "another" }, 0);
  assert.equal(witness.isAlive(rebooted), false);
});
