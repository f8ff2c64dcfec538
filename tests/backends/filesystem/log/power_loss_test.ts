import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { type Change, FakeProcesses, type Inode, MemoryDisk } from "./memory_disk.ts";
import { frameOf, openLog, pick, readVersion, seeded } from "./helpers.ts";

const DIRECTORY = "/log";
const KEYS = 12;

/** What had been acknowledged at a point of the trace, and what was under way. */
interface Mark {
  readonly acknowledged: ReadonlyMap<string, number>;
  readonly underWay: { readonly key: string; readonly version: number } | undefined;
}

/**
 * Which changes have reached the disk when the power fails: what was synced,
 * and of the rest of each file any part, in any order; names in the order in
 * which they were given, as a journal keeps them.
 */
function diskAfterPowerLoss(
  trace: readonly Change[],
  random: () => number,
  mode: number,
): MemoryDisk {
  const inodes = new Map<number, Inode>();
  const pending = new Map<number, Change[]>();
  const names = new Map<string, Inode>();
  const unsyncedNames: Change[] = [];
  const inodeOf = (id: number): Inode => {
    let inode = inodes.get(id);
    if (inode === undefined) inodes.set(id, inode = { id, bytes: new Uint8Array(0) });
    return inode;
  };
  const applyName = (change: Change): void => {
    if (change.kind === "name") names.set(change.path, inodeOf(change.inode));
    else if (change.kind === "unlink") names.delete(change.path);
  };
  const settle = (id: number): void => {
    for (const change of pending.get(id) ?? []) apply(inodeOf(id), change);
    pending.delete(id);
  };
  for (const change of trace) {
    if (change.kind === "write" || change.kind === "truncate") {
      const list = pending.get(change.inode) ?? [];
      list.push(change);
      pending.set(change.inode, list);
    } else if (change.kind === "sync") {
      settle(change.inode);
    } else if (change.kind === "syncDirectory") {
      for (const name of unsyncedNames.splice(0)) applyName(name);
    } else if (change.kind !== "mark") {
      unsyncedNames.push(change);
    }
  }
  const kept = mode === 0
    ? 0
    : mode === 1
    ? unsyncedNames.length
    : pick(random, unsyncedNames.length + 1);
  for (const name of unsyncedNames.slice(0, kept)) applyName(name);
  for (const [id, changes] of pending) {
    for (const change of changes) {
      if (mode === 0 || mode > 1 && pick(random, 2) === 0) continue;
      const isTorn = mode > 1 && change.kind === "write" && pick(random, 3) === 0;
      apply(
        inodeOf(id),
        isTorn
          ? { ...change, bytes: change.bytes.slice(0, pick(random, change.bytes.length + 1)) }
          : change,
      );
    }
  }
  return new MemoryDisk(names);
}

function apply(inode: Inode, change: Change): void {
  if (change.kind === "truncate") {
    inode.bytes = inode.bytes.slice(0, change.length);
  } else if (change.kind === "write") {
    const end = change.at + change.bytes.length;
    if (end > inode.bytes.length) {
      const longer = new Uint8Array(end);
      longer.set(inode.bytes);
      inode.bytes = longer;
    }
    inode.bytes.set(change.bytes, change.at);
  }
}

/** Runs a log on a disk that records, and marks before each operation what is under way, and after it what was acknowledged. */
async function record(seed: number, steps: number, isBounded: boolean): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const random = seeded(seed);
  const log = await openLog(DIRECTORY, {
    fileLayer: disk,
    processTable: new FakeProcesses().spawn("before"),
    durability: "batch",
    segmentBytes: 8 * 1024,
    ...(isBounded ? { maxBytes: 256 * 1024 } : {}),
  });
  const acknowledged = new Map<string, number>();
  for (let step = 0; step < steps; step++) {
    const key = `k${pick(random, KEYS)}`;
    const dice = pick(random, 20);
    const version = dice < 13 ? step : -1;
    disk.mark({
      acknowledged: new Map(acknowledged),
      underWay: { key: dice === 19 ? "*" : key, version },
    });
    if (dice < 13) {
      await log.put(key, frameOf(key, step, pick(random, isBounded ? 1500 : 600)), Infinity);
      acknowledged.set(key, step);
    } else if (dice < 19) {
      await log.delete(key);
      acknowledged.delete(key);
    } else {
      await log.clear();
      acknowledged.clear();
    }
    disk.mark({ acknowledged: new Map(acknowledged), underWay: undefined });
  }
  await log.close();
  return disk;
}

async function checkEach(seed: number, steps: number, isBounded: boolean): Promise<void> {
  const { trace } = await record(seed, steps, isBounded);
  const random = seeded(seed + 1);
  let mark: Mark = { acknowledged: new Map(), underWay: undefined };
  for (let length = 0; length <= trace.length; length++) {
    const last = trace[length - 1];
    if (last?.kind === "mark") mark = last.mark as Mark;
    // Bounded logs make many more calls; every third point of them will do.
    if (isBounded && length % 3 !== 0) continue;
    for (const mode of [0, 1, 2, 3]) {
      const disk = diskAfterPowerLoss(trace.slice(0, length), random, mode);
      const log = await openLog(DIRECTORY, {
        fileLayer: disk,
        processTable: new FakeProcesses().spawn("after"),
      });
      for (let at = 0; at < KEYS; at++) {
        const key = `k${at}`;
        const allowed = [mark.acknowledged.get(key) ?? -1];
        const { underWay } = mark;
        if (underWay !== undefined && [key, "*"].includes(underWay.key)) {
          allowed.push(underWay.version);
        }
        if (isBounded) allowed.push(-1);
        const found = await readVersion(log, key);
        assert.ok(
          allowed.includes(found),
          `seed ${seed}, after ${length} calls, mode ${mode}: ${key} holds ${found}, not ${allowed}`,
        );
      }
      await log.close();
    }
  }
}

/** The long form takes more seeds: set STRATA_LONG to how many times as many. */
const SEEDS = Math.ceil(2 * Number(process.env["STRATA_LONG"] ?? 1));

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`a power cut at any call leaves what was acknowledged as durable (${seed})`, async () => {
    await checkEach(seed, 60, false);
  });
  test(`a power cut at any call leaves nothing wrong in a log with a limit (${seed})`, async () => {
    await checkEach(100 + seed, 260, true);
  });
}
