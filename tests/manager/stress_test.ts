import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryBackend } from "../../backends/memory.ts";
import { evictionPolicyNames } from "../../src/eviction/policies.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { FlakyBackend } from "../fakes/flaky_backend.ts";
import { MapBackend } from "../fakes/map_backend.ts";
import { seededRandom } from "../fakes/seeded_random.ts";

const KEYS = Array.from({ length: 40 }, (_, at) => `key ${at}`);
const CALLERS = 8;
const CALLS = 250;

describe("CacheManager under stress, over the memory backend and a flaky tier", () => {
  for (const evictionPolicy of evictionPolicyNames) {
    for (const seed of [1, 2]) {
      it(`never goes back to an older value (${evictionPolicy}, seed ${seed})`, async () => {
        const random = seededRandom(seed);
        const pick = () => KEYS[Math.floor(random() * KEYS.length)]!;
        const clock = new FakeClock();
        const context = { clock, report: () => {} };
        // Small: entries come and go all the time.
        const memory = new MemoryBackend({ maxEntries: 12, evictionPolicy }, context);
        const flaky = new FlakyBackend(new MapBackend(clock, "flaky"), random);
        await using cache = await CacheManager.open({ backends: [memory, flaky], clock });
        let written = 0;
        /** The newest number of each key whose write or delete was over. */
        const over = new Map<string, number>();
        let loading = 0;
        const endOf = (key: string, number: number): void =>
          void over.set(key, Math.max(number, over.get(key) ?? 0));
        const check = (key: string, value: unknown, oldest: number): void => {
          assert.ok(value === undefined || (value as number) >= oldest, `${key}: ${value}`);
        };
        const callers = Array.from({ length: CALLERS }, async () => {
          for (let call = 0; call < CALLS; call++) {
            const choice = random();
            const key = pick();
            const oldest = over.get(key) ?? 0;
            if (choice < 0.4) {
              check(key, await cache.get(key), oldest);
            } else if (choice < 0.5) {
              const keys = [pick(), pick(), pick()];
              const bounds = keys.map((each) => over.get(each) ?? 0);
              const values = await cache.getMany(keys);
              keys.forEach((each, at) => check(each, values[at], bounds[at]!));
            } else if (choice < 0.7) {
              const number = ++written;
              await cache.set(key, number, { ttl: 10 });
              endOf(key, number);
            } else if (choice < 0.85) {
              const number = ++written;
              await cache.delete(key);
              endOf(key, number);
            } else if (choice < 0.95) {
              const value = await cache.getOrSet(key, async () => {
                const number = ++written;
                loading++;
                await cache.get(pick());
                loading--;
                return number;
              });
              check(key, value, oldest);
            } else {
              flaky.faults = random() < 0.5 ? {} : { failBefore: 0.2, failAfter: 0.2 };
              clock.advance(500);
            }
          }
        });
        await Promise.all(callers);
        assert.equal(loading, 0);
        flaky.faults = {};
        await cache.flush();
        assert.ok((await memory.getStats()).entries! <= 12);
        for (const key of KEYS) check(key, await cache.get(key), over.get(key) ?? 0);
        await memory.clear();
        for (const key of KEYS) check(key, await cache.get(key), over.get(key) ?? 0);
      });
    }
  }
});
