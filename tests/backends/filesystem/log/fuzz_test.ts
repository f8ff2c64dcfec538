import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { systemClock } from "../../../../src/clock.ts";
import { createEvictionPolicy, evictionPolicyNames } from "../../../../src/eviction/policies.ts";
import {
  diskUsage,
  frameOf,
  openLog,
  pick,
  readVersion,
  seeded,
  withDirectory,
} from "./helpers.ts";

/** What a get may return: exactly this, or a miss where entries may have been evicted. */
interface Expected {
  readonly version: number;
}

/**
 * Puts, deletes, clears, expires, reopens and reads at random, with a model
 * of what each key may hold.
 */
async function fuzz(seed: number, steps: number, isBounded: boolean): Promise<void> {
  await withDirectory(async (directory) => {
    const random = seeded(seed);
    const policy = evictionPolicyNames[pick(random, evictionPolicyNames.length)]!;
    let now = 1_000_000_000_000;
    const clock = {
      now: () => now,
      recent: () => now,
      schedule: (callback: () => void, delay: number): () => void =>
        systemClock.schedule(callback, delay),
    };
    const open = () =>
      openLog(directory, {
        clock,
        random,
        io: pick(random, 3) === 0 ? "async" : "auto",
        policy: (limits) => createEvictionPolicy(policy, limits),
        ...(isBounded ? { maxBytes: 512 * 1024 } : { segmentBytes: 16 * 1024 }),
      });
    let log = await open();
    const model = new Map<string, Expected>();
    const where = `seed ${seed}, ${policy}`;
    const check = async (key: string): Promise<void> => {
      const found = await readVersion(log, key);
      const expected = model.get(key)?.version ?? -1;
      assert.ok(
        found === expected || isBounded && found === -1,
        `${where}: ${key} holds ${found} instead of ${expected}`,
      );
      if (found !== -1) assert.equal(log.has(key), true, where);
    };
    for (let step = 0; step < steps; step++) {
      const key = `key-${pick(random, 150)}`;
      const dice = pick(random, 100);
      now += pick(random, 5);
      if (dice < 45) {
        await log.put(key, frameOf(key, step, pick(random, 2500)), Infinity);
        model.set(key, { version: step });
      } else if (dice < 60) {
        const isThere = await log.delete(key);
        if (!isBounded) assert.equal(isThere, model.has(key), where);
        model.delete(key);
      } else if (dice < 62) {
        await log.put(key, frameOf(key, step), now + 3);
        now += 3;
        model.delete(key);
      } else if (dice < 94) {
        await check(key);
      } else if (dice < 95) {
        const last = key.at(-1)!;
        await log.clear((candidate) => candidate.endsWith(last));
        for (const candidate of [...model.keys()]) {
          if (candidate.endsWith(last)) model.delete(candidate);
        }
      } else if (dice < 96 && pick(random, 4) === 0) {
        const count = await log.clear();
        if (!isBounded) assert.equal(count, model.size, where);
        model.clear();
      } else if (dice < 98) {
        await log.flush();
        if (isBounded) assert.ok(diskUsage(directory) <= 512 * 1024, where);
      } else if (dice < 99) {
        await log.close();
        log = await open();
      } else {
        // Not closed: what was acknowledged as written is found by a second log, as after a kill.
        await log.flush();
        const killed = log;
        log = await open();
        await killed.close();
      }
    }
    for (const key of model.keys()) await check(key);
    const found: string[] = [];
    for await (const key of log.keys()) found.push(key);
    for (const key of found) assert.ok(model.has(key), `${where}: ${key} is a phantom`);
    if (!isBounded) assert.equal(found.length, model.size, where);
    await log.close();
    assert.deepEqual(log.reports.filter((report) => report.kind !== "evict"), [], where);
  });
}

/** The long form runs more seeds: set STRATA_LONG to how many times as many. */
const ROUNDS = 6 * Number(process.env["STRATA_LONG"] ?? 1);

for (let seed = 1; seed <= ROUNDS; seed++) {
  test(`a log without limits holds exactly what its model holds, over many reopenings (${seed})`, async () => {
    await fuzz(seed, 1200, false);
  });
  test(`a log with a limit holds what its model holds or nothing, over many reopenings (${seed})`, async () => {
    await fuzz(100 + seed, 1200, true);
  });
}
