import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CacheManagerOptions, SetOptions } from "../../mod.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { withScratch } from "../backends/filesystem/scratch.ts";

const ENTRIES = 100;

async function openMemory(
  options: Partial<CacheManagerOptions> = {},
): Promise<{ cache: CacheManager; clock: FakeClock }> {
  const clock = new FakeClock();
  const cache = await CacheManager.open({
    backends: [{ type: "memory", maxEntries: ENTRIES, evictionPolicy: "lru" }],
    clock,
    ...options,
  });
  return { cache, clock };
}

/** How many of so many keys of a kind are there. */
async function held(cache: CacheManager, kind: string): Promise<number> {
  const found = await Promise.all(
    Array.from({ length: ENTRIES }, (_, at) => cache.exists(`${kind} ${at}`)),
  );
  return found.filter(Boolean).length;
}

describe("cost", () => {
  it("set(), setMany() and getOrSet() tell tiers what a value costs", async () => {
    const { cache } = await openMemory();
    await using _ = cache;
    for (let at = 0; at < ENTRIES; at++) {
      await cache.set(`cheap ${at}`, at, { cost: 1 });
      if (at % 20 === 0) await cache.set(`set ${at / 20}`, at, { cost: 50 });
      if (at % 20 === 5) {
        await cache.setMany([{ key: `many ${(at - 5) / 20}`, value: at, cost: 50 }]);
      }
      if (at % 20 === 10) {
        await cache.getOrSet(`loaded ${(at - 10) / 20}`, () => at, { cost: 50 });
      }
    }
    for (let at = 0; at < 2 * ENTRIES; at++) await cache.set(`later ${at}`, at, { cost: 1 });
    assert.deepEqual(
      [await held(cache, "set"), await held(cache, "many"), await held(cache, "loaded")],
      [5, 5, 5],
    );
    assert.equal(await held(cache, "cheap"), 0);
  });

  it("a write without a cost makes that of its key unknown", async () => {
    const { cache } = await openMemory();
    await using _ = cache;
    for (let at = 0; at < 10; at++) {
      await cache.set(`dear ${at}`, at, { cost: 50 });
      await cache.set(`cheap ${at}`, at, { cost: 1 });
    }
    for (let at = 0; at < 10; at++) await cache.set(`dear ${at}`, -at);
    for (let at = 0; at < ENTRIES; at++) await cache.set(`later ${at}`, at, { cost: 1 });
    assert.equal(await held(cache, "dear"), 0);
  });

  it("measureLoadCost takes what a loader took, each key's share of a batch, unless a cost is given", async () => {
    for (const measureLoadCost of [true, false]) {
      const { cache, clock } = await openMemory({ measureLoadCost });
      await using _ = cache;
      const load = (key: string, tookMs: number, options?: SetOptions): Promise<number> =>
        cache.getOrSet(key, () => {
          clock.advance(tookMs);
          return 1;
        }, options);
      for (let at = 0; at < ENTRIES - 20; at++) {
        await load(`cheap ${at}`, 1);
        if (at < 5) await load(`dear ${at}`, 1000);
        if (at < 5) await load(`given ${at}`, 1000, { cost: 0.5 });
      }
      const keys = Array.from({ length: 10 }, (_, at) => `batch ${at}`);
      await cache.getOrSetMany(keys, (missing) => {
        clock.advance(10);
        return missing.map(() => 1);
      });
      for (let at = 0; at < ENTRIES; at++) await load(`later ${at}`, 1);
      assert.equal(await held(cache, "dear"), measureLoadCost ? 5 : 0);
      assert.equal(await held(cache, "given"), 0);
      assert.equal(await held(cache, "batch"), 0);
    }
  });

  it("what is no cost is refused at the call, and nothing is stored", async () => {
    const { cache } = await openMemory();
    await using _ = cache;
    const message = (shown: string): string =>
      `Cannot set: 'cost' must be a number from 0 on: current value is ${shown}`;
    await assert.rejects(cache.set("a", 1, { cost: -1 }), new RangeError(message("-1")));
    await assert.rejects(cache.set("a", 1, { cost: NaN }), new RangeError(message("NaN")));
    await assert.rejects(
      cache.set("a", 1, { cost: Infinity }),
      new RangeError(message("Infinity")),
    );
    const wrong = { cost: "5" as unknown as number };
    await assert.rejects(cache.set("a", 1, wrong), new TypeError(message('"5"')));
    await assert.rejects(cache.setMany([{ key: "a", value: 1, ...wrong }]), TypeError);
    assert.equal(await cache.exists("a"), false);
    await cache.set("a", 1, { cost: 0 });
    assert.equal(await cache.get("a"), 1);
  });

  it("the filesystem tier keeps what is dear, large values too", () =>
    withScratch(async ({ path }) => {
      await using cache = await CacheManager.open({
        backends: [{
          type: "filesystem",
          basePath: path,
          maxEntries: ENTRIES,
          maxInlineBytes: 1000,
          evictionPolicy: "lru",
        }],
      });
      for (let at = 0; at < 5; at++) {
        await cache.set(`dear ${at}`, "x", { cost: 1000 });
        await cache.set(`large ${at}`, new Uint8Array(2000), { cost: 100_000 });
        await cache.set(`cheap ${at}`, "x", { cost: 1 });
      }
      for (let at = 0; at < 2 * ENTRIES; at++) await cache.set(`later ${at}`, "x", { cost: 1 });
      const kept = [await held(cache, "dear"), await held(cache, "large")];
      assert.deepEqual(kept, [5, 5]);
      assert.equal(await held(cache, "cheap"), 0);
    }));
});
