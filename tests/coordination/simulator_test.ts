import process from "node:process";
import { describe, it } from "node:test";
import { freshSeed } from "../fakes/seeded_random.ts";
import { simulate } from "./simulator/simulation.ts";

/** The long form runs more seeds: set STRATA_LONG to how many times as many. */
const RUNS = 100 * Number(process.env["STRATA_LONG"] ?? 1);

/** Set STRATA_SEED to run a seed that has failed. */
const GIVEN = process.env["STRATA_SEED"];

const SEEDS = GIVEN === undefined ? [1, freshSeed()] : [Number(GIVEN)];

describe("Ten machines on virtual time", () => {
  for (const first of SEEDS) {
    const runs = GIVEN === undefined ? RUNS / SEEDS.length : 1;
    it(`agree on the newest of each key within two recovery periods, from seed ${first} on`, async () => {
      for (let seed = first; seed < first + runs; seed++) {
        await simulate({ seed, nodes: 10, recoveryPeriod: 2000 }).catch((error) => {
          throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
        });
      }
    });
  }
});
