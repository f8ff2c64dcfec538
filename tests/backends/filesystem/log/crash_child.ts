/*
 * Run as a process of its own that is killed: does random things to a log for
 * ever, and notes in a file what it is about to do ("I") and what has been
 * acknowledged ("A", or "D" when that includes that it is written).
 *
 * Arguments: directory, notes file, seed, durability, limit in bytes, and
 * "keep" when it is not to clear what others write.
 */
import * as fs from "node:fs";
import * as nodeModule from "node:module";
import process from "node:process";
import type { Durability } from "../../../../backends/filesystem/log/core.ts";
import { createEvictionPolicy } from "../../../../src/eviction/policies.ts";
import { frameOf, openLog, pick, seeded } from "./helpers.ts";

const [directory, notesPath, seed, durability, limit, keep] = process.argv.slice(2) as [
  string,
  string,
  string,
  Durability,
  string,
  string?,
];
const random = seeded(Number(seed));
const notes = fs.openSync(notesPath, "a");
const log = await openLog(directory, {
  policy: (limits) => createEvictionPolicy("lru", limits),
  segmentBytes: 16 * 1024,
  maxBytes: Number(limit),
  durability,
});
// Node would keep what it has compiled, for the next child, at an orderly end only.
const { flushCompileCache } = nodeModule as { flushCompileCache?: () => void };
flushCompileCache?.();
let version = Number(seed) * 1_000_000;

function note(text: string): void {
  fs.writeSync(notes, `${text}\n`);
}

for (;;) {
  const key = `key-${pick(random, 120)}`;
  const dice = pick(random, 100);
  const number = ++version;
  let isPrompt = true;
  if (dice < 70) {
    note(`I ${number} put ${key}`);
    const stored = log.put(key, frameOf(key, number, pick(random, 1500)), Infinity);
    isPrompt = stored instanceof Promise;
    await stored;
  } else if (dice < 90) {
    note(`I ${number} delete ${key}`);
    const deleted = log.delete(key);
    isPrompt = deleted instanceof Promise;
    await deleted;
  } else if (dice < 91 && keep === undefined) {
    note(`I ${number} clear`);
    await log.clear();
  } else {
    note(`I ${number} flush`);
    await log.flush();
  }
  note(`${isPrompt ? "D" : "A"} ${number}`);
  // Timers and what waits for them get their turn.
  if (dice % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
}
