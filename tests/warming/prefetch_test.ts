import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EmbeddingCache } from "../../src/embedding_cache.ts";
import type { Cache } from "../../src/manager/cache.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { QueryResultCache } from "../../src/query_result_cache.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { openFlowing } from "../fakes/open_caches.ts";
import { freshSeed, seededRandom } from "../fakes/seeded_random.ts";
import { settle } from "../fakes/settle.ts";
import type { PrefetchChange } from "../../src/warming/prefetcher.ts";
import { scratchFolder } from "../servers/scratch.ts";
import type { SteppedBackend } from "../fakes/stepped_backend.ts";

const ENTRIES = 200;

async function open(): Promise<{ cache: CacheManager; slow: SteppedBackend }> {
  const clock = new FakeClock();
  const slow = openFlowing("slow", clock);
  const cache = await CacheManager.open({
    backends: [{ type: "memory", maxEntries: ENTRIES, evictionPolicy: "lru" }, slow],
    prefetch: true,
    clock,
  });
  return { cache, slow };
}

/** Three times as many keys as there is room for, in the same order each time. */
const LOOP = Array.from({ length: 3 * ENTRIES }, (_, at) => `key ${at}`);

async function readLoop(cache: Cache, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const key of LOOP) {
      assert.equal(await cache.get(key), key);
      await settle(20);
    }
  }
}

async function fill(cache: Cache): Promise<void> {
  await cache.setMany(LOOP.map((key) => ({ key, value: key })));
}

describe("CacheManager prefetch", () => {
  it("turns the misses of a loop into hits", async () => {
    const { cache } = await open();
    await using _ = cache;
    await fill(cache);
    await readLoop(cache, 6);
    const before = (await cache.getStats()).tiers[0]!;
    await readLoop(cache, 1);
    const { tiers: [memory], prefetch } = await cache.getStats();
    assert.ok(memory!.hits - before.hits >= 0.9 * LOOP.length, `${memory!.hits - before.hits}`);
    assert.ok(prefetch!.precision >= 0.9 && prefetch!.used > 0, JSON.stringify(prefetch));
    assert.equal(prefetch!.live, 1);
  });

  it("works inside a namespace, and keeps the sequences of others apart", async () => {
    const { cache } = await open();
    await using _ = cache;
    const [one, two] = [cache.namespace("one"), cache.namespace("two")];
    await fill(one);
    await two.setMany(LOOP.map((key) => ({ key, value: key })));
    for (let round = 0; round < 7; round++) {
      for (let at = 0; at < LOOP.length; at++) {
        await one.get(LOOP[at]!);
        await settle(20);
        if (round === 0) await two.get(LOOP[(at * 7919) % LOOP.length]!);
      }
    }
    const { prefetch } = await cache.getStats();
    assert.equal(prefetch!.live, 1);
    assert.ok(prefetch!.precision >= 0.9, JSON.stringify(prefetch));
  });

  const seed = freshSeed();
  it(`fetches nothing where nothing follows anything (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const { cache } = await open();
    await using _ = cache;
    await fill(cache);
    for (let step = 0; step < 5000; step++) {
      await cache.get(LOOP[Math.floor(random() ** 2 * LOOP.length)]!);
      await settle(20);
    }
    const { prefetch, tiers: [memory] } = await cache.getStats();
    assert.ok(memory!.misses > 1000);
    assert.ok(prefetch!.issued <= 0.01 * memory!.misses, JSON.stringify(prefetch));
  });

  it("a deleted key does not come back by a fetch under way", async () => {
    const { cache, slow } = await open();
    await using _ = cache;
    await fill(cache);
    await readLoop(cache, 6);
    slow.isFlowing = false;
    const before = slow.steps.length;
    const reading = cache.get("key 0");
    await settle();
    const fetch = slow.steps.slice(before).find(({ keys }) => !keys.includes("key 0"));
    assert.ok(fetch !== undefined && fetch.keys.length > 0, "something is being fetched");
    // It has been read, and not answered yet.
    fetch.advance();
    const deleting = cache.deleteMany(fetch.keys);
    await settle();
    slow.isFlowing = true;
    for (const step of slow.steps) if (!step.isDone) step.finish();
    await Promise.all([reading, deleting]);
    await settle();
    for (const key of fetch.keys) assert.equal(cache.peek(key), undefined, key);
  });

  it("is off unless asked for, and refuses what it cannot use", async () => {
    await using cache = await CacheManager.open({ backends: [{ type: "memory" }, openFlowing()] });
    assert.equal((await cache.getStats()).prefetch, undefined);
    const backends = [{ type: "memory" }];
    await assert.rejects(
      CacheManager.open({ backends, prefetch: { minPrecision: 2 } }),
      /minPrecision.*above 0 and up to 1: current value is 2/,
    );
    await assert.rejects(CacheManager.open({ backends, prefetch: 1 as never }), TypeError);
    await assert.rejects(
      CacheManager.open({ backends, prefetch: true }),
      /needs a slower tier behind memory, or a 'loader'/,
    );
    await assert.rejects(
      CacheManager.open({ backends: [openFlowing("slow"), openFlowing("deep")], prefetch: true }),
      /needs memory as the first tier: it is "slow"/,
    );
    await assert.rejects(
      CacheManager.open({ backends: [{ type: "memory" }, openFlowing()], prefetch: { budget: 5 } }),
      /'budget' is that of a 'loader'/,
    );
    await assert.rejects(
      CacheManager.open({ backends, prefetch: { confidence: 1 } as never }),
      /'confidence' is not known/,
    );
  });

  it("brings in the chunks that follow a query", async () => {
    const { cache } = await open();
    await using _ = cache;
    const [results, vectors] = [new QueryResultCache(cache), new EmbeddingCache(cache)];
    const queries = Array.from({ length: 150 }, (_, at) => `query ${at}`);
    for (let round = 0; round < 8; round++) {
      for (const query of queries) {
        const list = await results.getOrSearch(query, {}, "rank", () => [1, 2, 3]);
        await settle(30);
        const texts = list.map((id) => `${query}, chunk ${id}`);
        await vectors.getOrEmbed(texts, "m", (missing) => missing.map(() => [1, 2, 3]));
        await settle(30);
      }
    }
    const { prefetch } = await cache.getStats();
    assert.ok(
      prefetch!.used > queries.length && prefetch!.precision > 0.9,
      JSON.stringify(prefetch),
    );
  });

  it("follows the queries of sessions that take the same way", async () => {
    const { cache } = await open();
    await using _ = cache;
    const results = new QueryResultCache(cache);
    const session = (user: number): string[] =>
      Array.from({ length: 8 }, (_, step) => `topic ${user % 60}, step ${step}`);
    for (let user = 0; user < 600; user++) {
      for (const query of session(user)) {
        await results.getOrSearch(query, {}, undefined, () => [query]);
        await settle(30);
      }
    }
    const { prefetch } = await cache.getStats();
    assert.ok(prefetch!.used > 1000 && prefetch!.precision > 0.9, JSON.stringify(prefetch));
  });

  it("tells when it starts, stops itself, and pays again", async () => {
    const { cache } = await open();
    await using _ = cache;
    const inner = cache.namespace("a").namespace("b");
    const changes: PrefetchChange[] = [];
    cache.on("prefetch", (change) => changes.push(change));
    await inner.setMany(LOOP.map((key) => ({ key, value: key })));
    await readLoop(inner, 6);
    const random = seededRandom(5);
    for (let step = 0; step < 4000; step++) {
      await inner.get(LOOP[Math.floor(random() * LOOP.length)]!);
      await settle(20);
    }
    for (let round = 0; round < 60 && changes.length < 3; round++) await readLoop(inner, 1);
    assert.deepEqual(
      changes.slice(0, 3).map(({ namespace, state }) => [namespace, state]),
      [["a/b", "started"], ["a/b", "stopped"], ["a/b", "resumed"]],
    );
    assert.ok(changes[0]!.precision >= 0.6 && changes[1]!.precision < 0.5);
  });

  it("asks the loader for what no tier has, one batch at a time and within the budget", async () => {
    for (const budget of [0, 40]) {
      const clock = new FakeClock();
      const asked: string[][] = [];
      let [running, most] = [0, 0];
      const cache = await CacheManager.open({
        backends: [{ type: "memory", maxEntries: ENTRIES, evictionPolicy: "lru" }],
        prefetch: {
          budget,
          loader: async (missing) => {
            asked.push(missing);
            most = Math.max(most, ++running);
            await settle(5);
            running--;
            return missing;
          },
        },
        clock,
      });
      for (let round = 0; round < 8; round++) {
        for (const key of LOOP) {
          assert.equal(await cache.getOrSet(key, () => key), key);
          await settle(40);
        }
      }
      const { prefetch, loads } = await cache.getStats();
      assert.equal(asked.flat().length, budget);
      assert.equal(prefetch!.loaded, budget);
      assert.ok(budget === 0 || prefetch!.used >= 0.8 * budget, JSON.stringify(prefetch));
      assert.equal(most, Math.min(1, budget));
      assert.ok(loads > LOOP.length);
      await cache.close();
    }
  });

  it("keeps what it has learned in the snapshot", async () => {
    const { path, remove } = scratchFolder("prefetch");
    try {
      const clock = new FakeClock();
      const slow = openFlowing("slow", clock);
      const open = (): Promise<CacheManager> =>
        CacheManager.open({
          backends: [{ type: "memory", maxEntries: ENTRIES, evictionPolicy: "lru" }, slow],
          prefetch: true,
          snapshot: { path: `${path}/s`, interval: Infinity },
          clock,
        });
      const first = await open();
      await fill(first);
      await readLoop(first, 3);
      const before = (await first.getStats()).prefetch!;
      await first.close();
      const second = await open();
      // A new one knows nothing at first, and guesses from its second round on.
      await readLoop(second, 2);
      const after = (await second.getStats()).prefetch!;
      assert.ok(after.used > 0.8 * LOOP.length, JSON.stringify({ before, after }));
      await second.close();
    } finally {
      remove();
    }
  });
});
