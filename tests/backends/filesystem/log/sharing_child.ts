/*
 * Run as a process of its own beside others on one directory: puts and deletes
 * keys that only it writes, and keys that all write, reads all, and notes what
 * it did and saw and when.
 *
 * Arguments: directory, notes file, number of this process, number of
 * processes, seed, limit in bytes, milliseconds to run.
 *
 * Notes: "start end kind key version", times in epoch milliseconds; kind is
 * put, delete or get; version is -1 for none. "open" is noted first.
 */
import * as fs from "node:fs";
import process from "node:process";
import { createEvictionPolicy } from "../../../../src/eviction/policies.ts";
import { frameOf, openLog, pick, readVersion, seeded } from "./helpers.ts";

const [directory, notesPath, ...numbers] = process.argv.slice(2) as [string, string, ...string[]];
const [self, processes, seed, limit, duration] = numbers.map(Number) as [
  number,
  number,
  number,
  number,
  number,
];
const random = seeded(seed * 100 + self);
const log = await openLog(directory, {
  policy: (limits) => createEvictionPolicy("lru", limits),
  maxBytes: limit,
  segmentBytes: 16 * 1024,
  pollMs: 50,
});
const notes: string[] = ["0 0 open - -1"];
fs.writeFileSync(notesPath, "");
let version = (self + 1) * 1_000_000;

/**
 * Milliseconds since the epoch by the clock that all processes share. Not
 * `performance.timeOrigin`: a process that is held up while it reads that has
 * one of its own for the rest of its life.
 */
function now(): number {
  return Date.now();
}

const end = now() + duration;
for (let step = 0; now() < end; step++) {
  const isShared = pick(random, 5) === 0;
  const dice = pick(random, 10);
  const owner = dice < 5 ? pick(random, processes) : self;
  const key = isShared ? `shared-${pick(random, 10)}` : `own-${owner}-${pick(random, 40)}`;
  const start = now();
  if (dice < 5) {
    const found = await readVersion(log, key);
    notes.push(`${start} ${now()} get ${key} ${found}`);
  } else if (dice < 9) {
    const put = ++version;
    await log.put(key, frameOf(key, put, pick(random, 1500)), Infinity);
    await log.flush();
    notes.push(`${start} ${now()} put ${key} ${put}`);
  } else {
    await log.delete(key);
    notes.push(`${start} ${now()} delete ${key} -1`);
  }
  if (step % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
}
await log.close();
const wrong = log.reports.filter((report) => report.kind !== "evict");
for (const { error } of wrong) notes.push(`0 0 report ${String(error).replaceAll(" ", "_")} -1`);
fs.writeFileSync(notesPath, notes.join("\n"));
