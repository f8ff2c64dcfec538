import { describe, it } from "node:test";
import { raceRun } from "./race_run.ts";

const STACKS = [
  { name: "memory over one slow tier", hasMemory: true, slowTiers: 1 },
  { name: "memory over two slow tiers", hasMemory: true, slowTiers: 2 },
  { name: "one slow tier", hasMemory: false, slowTiers: 1 },
  { name: "two slow tiers", hasMemory: false, slowTiers: 2 },
  { name: "three slow tiers", hasMemory: false, slowTiers: 3 },
  { name: "memory alone", hasMemory: true, slowTiers: 0 },
];
const TROUBLES = [
  { trouble: "without faults", hasFaults: false, isDeaf: false },
  { trouble: "with faults", hasFaults: true, isDeaf: false },
  { trouble: "with faults, and deaf to aborts", hasFaults: true, isDeaf: true },
];
const SEEDS = 10;

describe("CacheManager in random interleavings", () => {
  for (const { name, ...stack } of STACKS) {
    for (const { trouble, ...faults } of TROUBLES) {
      for (const hasTags of [false, true]) {
        it(`reads only what was current, over ${name} ${trouble}${hasTags ? ", with tags" : ""}`, async () => {
          for (let seed = 1; seed <= SEEDS; seed++) {
            const varied = {
              hasBatches: seed % 2 === 0,
              hasLimits: seed % 3 === 0 && stack.slowTiers > 0,
              hasAborts: seed % 4 === 0,
              isInstant: seed % 5 > 2,
            };
            await raceRun({ seed, hasTags, ...varied, ...stack, ...faults }).catch((error) => {
              throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
            });
          }
        });
      }
    }
  }
});
