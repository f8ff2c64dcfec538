import process from "node:process";
import { describe, it } from "node:test";
import { freshSeed } from "../fakes/seeded_random.ts";
import { simulate } from "./simulator/simulation.ts";

/** The long form runs more seeds: set STRATA_LONG to how many times as many. */
const RUNS = 100 * Number(process.env["STRATA_LONG"] ?? 1);

/** Set STRATA_SEED to run a seed that has failed. */
const GIVEN = process.env["STRATA_SEED"];

/** Seeds of runs that have failed before. */
const ONCE_FAILED = [1742933819, 706612, 707906, 708634, 710623, 719026];

/** The short form runs the same seeds each time, the long form new ones as well. */
const FIXED_RUNS = Math.min(RUNS, 100);
const series = GIVEN !== undefined ? [[Number(GIVEN), 1]] : [
  [1, FIXED_RUNS],
  [freshSeed(), RUNS - FIXED_RUNS],
  ...ONCE_FAILED.map((seed) => [seed, 1]),
].filter(([, runs = 0]) => runs > 0);

describe("Ten machines on virtual time", () => {
  for (const [first = 0, runs = 1] of series) {
    it(`agree on the newest of each key within two recovery periods, from seed ${first} on`, async () => {
      for (let seed = first; seed < first + runs; seed++) {
        await simulate({ seed, nodes: 10, recoveryPeriod: 2000 }).catch((error) => {
          throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
        });
      }
    });
  }
});
