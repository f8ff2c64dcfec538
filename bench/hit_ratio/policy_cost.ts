import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createEvictionPolicy, type EvictionPolicyName } from "../../src/eviction/policies.ts";
import { keyHash } from "../../src/eviction/key_hash.ts";
import { Draws, Zipf } from "../load/random.ts";

/** What a policy takes beside the index of its store. */
export interface PolicyCost {
  /** A use, in nanoseconds. */
  readonly use: number;
  /** An entry that comes in and the one that leaves for it, in nanoseconds. */
  readonly exchange: number;
  /** Memory of an entry; `undefined` where the runtime does not tell. */
  readonly bytes: number | undefined;
}

/** The best of so many runs counts: what else runs on the machine only adds. */
const RUNS = 5;

/**
 * Measures a policy alone, full of entries.
 *
 * @param accesses uses, of slots by Zipf's law, and as many exchanges.
 */
export async function policyCost(
  name: EvictionPolicyName,
  entries: number,
  accesses: number,
): Promise<PolicyCost> {
  const limits = { maxWeight: Infinity, maxEntries: entries };
  const draws = new Draws(1);
  const ranks = new Zipf(entries, 0.9);
  const slots = Int32Array.from({ length: accesses }, () => ranks.draw(draws));
  const hashes = Int32Array.from({ length: entries + accesses }, (_, at) => keyHash(`item:${at}`));
  const before = await bytesOutside();
  const policy = createEvictionPolicy(name, limits);
  for (let slot = 0; slot < entries; slot++) policy.add(slot, 1, hashes[slot]!);
  const bytes = (await bytesOutside() - before) / entries;
  let bare = Infinity;
  let use = Infinity;
  let exchange = Infinity;
  let sink = 0;
  for (let run = 0; run < RUNS; run++) {
    bare = Math.min(bare, timeOf(accesses, (at) => sink += slots[at]! + hashes[entries + at]!));
    use = Math.min(use, timeOf(accesses, (at) => policy.touch(slots[at]!)));
    exchange = Math.min(
      exchange,
      timeOf(accesses, (at) => policy.add(policy.evict(), 1, hashes[entries + at]!)),
    );
  }
  policy.clear();
  if (Number.isNaN(sink)) throw new RangeError("Cannot be: slots and hashes are numbers");
  return {
    use: Math.max(0, use - bare),
    exchange: Math.max(0, exchange - bare),
    bytes: Number.isNaN(bytes) ? undefined : bytes,
  };
}

function timeOf(times: number, run: (at: number) => void): number {
  const started = performance.now();
  for (let at = 0; at < times; at++) run(at);
  return (performance.now() - started) * 1e6 / times;
}

/** Bytes of typed arrays that are in use, which are outside of the heap; `NaN` on Bun, which does not count them. */
async function bytesOutside(): Promise<number> {
  if ("Bun" in globalThis) return NaN;
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  // What one collection has found dead is freed a moment later.
  for (let times = 0; times < 3; times++) {
    collect();
    await setTimeout(5);
  }
  return process.memoryUsage().external;
}
