import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openBoth } from "../fakes/open_caches.ts";

describe("CacheManager times", () => {
  it("a value lives as long as its TTL says, to the millisecond", async () => {
    const { cache, clock, memory } = await openBoth({ defaultTtl: 100 });
    const start = clock.now();
    const lives: [ttl: number | string | undefined, milliseconds: number][] = [
      [1, 1000],
      [0.25, 250],
      ["250ms", 250],
      ["2s", 2000],
      ["15m", 900_000],
      ["1h", 3_600_000],
      ["7d", 604_800_000],
      ["1.5 h", 5_400_000],
      [undefined, 100_000],
      [Infinity, Infinity],
      [8.64e12, 8.64e15],
    ];
    for (const [at, [ttl, milliseconds]] of lives.entries()) {
      await cache.set(`${at}`, at, { ttl });
      assert.equal(memory.entries.get(`${at}`)!.expiresAt, start + milliseconds, `${ttl}`);
    }
    await clock.advanceAsync(249);
    assert.equal(await cache.get("2"), 2);
    await clock.advanceAsync(1);
    assert.equal(await cache.get("2"), undefined);
    assert.equal(await cache.exists("2"), false);
  });

  it("a TTL that is none is refused, and nothing is stored", async () => {
    const { cache, memory, slow } = await openBoth();
    const refused: [ttl: unknown, error: typeof Error][] = [
      [0, RangeError],
      [-1, RangeError],
      [NaN, RangeError],
      [-Infinity, RangeError],
      [8.65e12, RangeError],
      ["0s", RangeError],
      ["-1s", TypeError],
      ["soon", TypeError],
      ["", TypeError],
      ["5", TypeError],
      ["5 parsecs", TypeError],
      [null, TypeError],
      [10n, TypeError],
      [new Date(), TypeError],
    ];
    for (const [ttl, error] of refused) {
      const options = { ttl: ttl as number };
      const isRefused = (thrown: Error) => {
        assert.ok(thrown instanceof error, `${String(ttl)}: ${thrown}`);
        return /^Cannot (?:set|load): 'ttl' must be /.test(thrown.message);
      };
      await assert.rejects(cache.set("key", 1, options), isRefused);
      await assert.rejects(cache.setMany([{ key: "key", value: 1, ...options }]), isRefused);
      await assert.rejects(cache.getOrSet("key", () => 1, options), isRefused);
      await assert.rejects(cache.getOrSetMany(["key"], () => [1], options), isRefused);
    }
    assert.equal(memory.entries.size + slow.frames.size, 0);
  });

  it("setMany() takes a TTL and tags for each entry", async () => {
    const { cache, clock } = await openBoth({ defaultTtl: 50 });
    await cache.setMany([
      { key: "a", value: 1, ttl: "10s" },
      { key: "b", value: 2 },
      { key: "c", value: 3, tags: ["t"] },
    ]);
    await clock.advanceAsync(10_000);
    assert.deepEqual([cache.peek("a"), cache.peek("b"), cache.peek("c")], [undefined, 2, 3]);
    await cache.deleteByTag("t");
    assert.deepEqual([cache.peek("b"), cache.peek("c")], [2, undefined]);
  });
});
