/*
 * Assertions on the memory of the whole process. The test runner gives the files
 * that import this module, by themselves or through the suite of codecs, a
 * process in which nothing runs beside them (tests/run/suite.ts).
 */

import assert from "node:assert/strict";
import { memoryUsage, resourceUsage } from "node:process";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** What peaks of a process may differ by, whatever a refused decode does. */
const MEMORY_NOISE_BYTES = 64 * 2 ** 20;

/** Rounds until memory must have settled, and what a settled one may still add. */
const MAX_SETTLING_ROUNDS = 40;
const SETTLED_BYTES = 2 * 2 ** 20;

setFlagsFromString("--expose-gc");
const { Bun } = globalThis as { Bun?: { gc(isSynchronous: boolean): void } };
/**
 * A full collection. Deno frees the native decoder of a refused value only
 * with one, and is in no haste; Bun collects late what earlier tests have left.
 */
const collectGarbage: (() => void) | undefined = Bun === undefined
  ? runInNewContext("globalThis.gc")
  : () => Bun.gc(true);

/** Asserts that what a function does adds little to the most memory that the process ever held. */
export async function assertWithinMemory(
  work: () => Promise<void>,
  limit: number = MEMORY_NOISE_BYTES,
): Promise<void> {
  const before = peakMemory();
  await work();
  const grown = peakMemory() - before;
  assert.ok(grown < limit, `the process grew by ${Math.round(grown / 2 ** 20)} MiB`);
}

/**
 * Asserts that a function, called again and again, comes to a point where it
 * needs no more memory: garbage is collected late, a leak never. 2,000 calls a
 * round that leak 1 KiB each do not settle.
 */
export async function assertMemorySettles(work: () => Promise<void>): Promise<void> {
  const peaks: number[] = [];
  for (let round = 0; round < MAX_SETTLING_ROUNDS; round++) {
    const before = peakMemory();
    await work();
    collectGarbage?.();
    await nextTurn();
    const grown = peakMemory() - before;
    if (round > 0 && grown < SETTLED_BYTES) return;
    peaks.push(grown);
  }
  assert.fail(`each round took more memory: ${peaks.join(", ")} bytes`);
}

/** The most memory that the process ever held, in bytes. */
function peakMemory(): number {
  return Math.max(resourceUsage().maxRSS * 1024, memoryUsage().rss);
}
