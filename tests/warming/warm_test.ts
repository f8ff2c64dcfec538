import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EmbeddingCache } from "../../src/embedding_cache.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { QueryResultCache } from "../../src/query_result_cache.ts";
import type { WarmProgress, WarmReport } from "../../src/warming/warm_options.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { MapBackend } from "../fakes/map_backend.ts";
import { openFlowing } from "../fakes/open_caches.ts";
import { SteppedBackend } from "../fakes/stepped_backend.ts";
import { settle } from "../fakes/settle.ts";

const KEYS = Array.from({ length: 250 }, (_, at) => `key ${at}`);

/** A cache whose memory is empty, over a tier that holds all keys. */
async function openCold(
  { memory = {}, keys = KEYS }: { memory?: Record<string, unknown>; keys?: readonly string[] } = {},
): Promise<{ cache: CacheManager; slow: MapBackend; clock: FakeClock }> {
  const clock = new FakeClock();
  const slow = new MapBackend(clock, "slow");
  const filling = await CacheManager.open({ backends: [{ backend: slow }], clock });
  await filling.setMany(keys.map((key) => ({ key, value: `value of ${key}` })));
  const cache = await CacheManager.open({ backends: [{ type: "memory", ...memory }, slow], clock });
  return { cache, slow, clock };
}

function countsOf(report: WarmReport): Record<string, number> {
  const { done, warmed, loaded, alreadyThere, missing, declined, failed } = report;
  assert.equal(done, warmed + alreadyThere + missing + declined + failed);
  return { warmed, loaded, alreadyThere, missing, declined, failed };
}

const NONE = { warmed: 0, loaded: 0, alreadyThere: 0, missing: 0, declined: 0, failed: 0 };

describe("Cache.warm() sources", () => {
  it("brings a list from a slower tier into memory, and counts no hit and no miss", async () => {
    const { cache } = await openCold();
    await using _ = cache;
    const report = await cache.warm([...KEYS, "in no tier"]);
    assert.deepEqual(countsOf(report), { ...NONE, warmed: 250, missing: 1 });
    assert.equal(report.stopped, "done");
    assert.equal(report.cursor, 251);
    for (const key of KEYS) assert.equal(cache.peek(key), `value of ${key}`);
    const { hits, misses } = await cache.getStats();
    assert.deepEqual([hits, misses], [0, 0]);
    assert.deepEqual(countsOf(await cache.warm(KEYS)), { ...NONE, alreadyThere: 250 });
  });

  it("takes what an async iterable gave before it threw, and reports the error", async () => {
    const { cache } = await openCold();
    await using _ = cache;
    const error = new Error("half way");
    async function* source(): AsyncGenerator<string> {
      await Promise.resolve();
      yield* KEYS.slice(0, 130);
      throw error;
    }
    const report = await cache.warm(source());
    assert.equal(report.stopped, "source-failed");
    assert.equal(report.error, error);
    assert.equal(report.warmed, 130);
    assert.equal(report.cursor, 130);
    assert.equal(cache.peek("key 129"), "value of key 129");
  });

  it("reports an item that is no key as a failure of the source", async () => {
    const { cache } = await openCold();
    await using _ = cache;
    const report = await cache.warm(["key 0", 5 as never, "key 1"]);
    assert.equal(report.stopped, "source-failed");
    assert.match(String(report.error), /TypeError.*it gave 5/);
    assert.deepEqual(countsOf(report), { ...NONE, warmed: 1 });
  });

  it("takes the keys of a slower tier by a pattern, those of this namespace only", async () => {
    const { cache } = await openCold({ keys: ["a1", "a2", "b1", "@a3"] });
    await using _ = cache;
    const inner = cache.namespace("a");
    await inner.set("a9", 1);
    assert.deepEqual(countsOf(await cache.warm({ pattern: "a*" })), { ...NONE, warmed: 2 });
    assert.deepEqual(
      countsOf(await cache.warm({ pattern: "*", tier: "slow" })),
      { ...NONE, warmed: 2, alreadyThere: 2 },
    );
    assert.equal(cache.peek("@a3"), "value of @a3");
    const report = await inner.warm({ pattern: "*" });
    assert.deepEqual(countsOf(report), { ...NONE, alreadyThere: 1 });
  });

  it("copies another cache with tags and the time that is left", async () => {
    const { cache, clock } = await openCold({ keys: [] });
    await using _ = cache;
    await using other = await CacheManager.open({ backends: [{ type: "memory" }], clock });
    const [from, into] = [other.namespace("from"), cache.namespace("into")];
    await from.set("tagged", [1, 2], { tags: ["t"], ttl: 60 });
    await from.set("over", 1, { ttl: 10 });
    await into.set("held", "mine");
    await from.set("held", "theirs");
    clock.advance(20_000);
    const report = await into.warm({ cache: from });
    assert.deepEqual(countsOf(report), { ...NONE, warmed: 1, alreadyThere: 1 });
    assert.deepEqual(await into.get("tagged"), [1, 2]);
    assert.equal(await into.get("held"), "mine");
    await into.set("second", 1, { tags: ["t"] });
    await into.deleteByTag("t");
    assert.equal(await into.get("tagged"), undefined);
    assert.deepEqual(countsOf(await into.warm(from)), { ...NONE, warmed: 1, alreadyThere: 1 });
    clock.advance(40_000);
    assert.equal(await into.get("tagged"), undefined);
  });

  it("takes values that the source has, each with its own time", async () => {
    const { cache, clock } = await openCold({ keys: ["a"] });
    await using _ = cache;
    const report = await cache.warm([
      { key: "a", value: "not this" },
      { key: "b", value: null },
      { key: "c", value: 3, ttl: 5 },
      { key: "d", value: () => 1 },
      { key: "e" },
    ]);
    assert.deepEqual(countsOf(report), { ...NONE, warmed: 3, failed: 1, missing: 1 });
    assert.deepEqual(await cache.getMany(["a", "b", "c"]), ["value of a", null, 3]);
    clock.advance(6000);
    assert.deepEqual(await cache.getMany(["b", "c"]), [null, undefined]);
  });

  it("refuses what is no source, and tiers that cannot list their keys", async () => {
    await using cache = await CacheManager.open({
      backends: [{ type: "memory" }, openFlowing("deaf")],
    });
    for (const source of [undefined, null, 5, "key", {}, { cache: {} }, { pattern: 5 }]) {
      await assert.rejects(cache.warm(source as never), TypeError, String(source));
    }
    await assert.rejects(cache.warm({ pattern: "*", tier: "deaf" }), /"deaf" cannot list its keys/);
    await assert.rejects(cache.warm({ pattern: "*", tier: "none" }), /no tier is named "none"/);
    await assert.rejects(cache.warm([], { batchSize: 0 }), RangeError);
    await assert.rejects(cache.warm([], { rateLimit: 0 }), RangeError);
    await assert.rejects(cache.warm([], { rate: 1 } as never), /'rate' is not known/);
    await cache.close();
    await assert.rejects(cache.warm([]), { code: "closed" });
  });
});

describe("Cache.warm() tiers", () => {
  async function openStepped(): Promise<{ cache: CacheManager; slow: SteppedBackend }> {
    const clock = new FakeClock();
    const slow = new SteppedBackend("slow", { hasBatches: true, clock });
    slow.isFlowing = true;
    await using filling = await CacheManager.open({ backends: [{ backend: slow }], clock });
    await filling.setMany(KEYS.map((key) => ({ key, value: key })));
    const cache = await CacheManager.open({ backends: [{ type: "memory" }, slow], clock });
    slow.isFlowing = false;
    return { cache, slow };
  }

  it("are asked for a batch at once, and for so many batches at a time", async () => {
    const { cache, slow } = await openStepped();
    const warming = cache.warm(KEYS, { batchSize: 40, concurrency: 3 });
    const asked: number[] = [];
    for (let batch = 0; batch < 7; batch++) {
      await settle(3000);
      const reads = slow.steps.filter(({ operation }) => operation === "getMany");
      assert.equal(reads.length, slow.steps.length);
      assert.equal(reads.length, Math.min(3, 7 - batch));
      asked.push(reads[0]!.keys.length);
      reads[0]!.finish();
    }
    assert.equal((await warming).warmed, 250);
    assert.deepEqual(asked, [40, 40, 40, 40, 40, 40, 10]);
    slow.flow();
    await cache.close();
  });

  it("that fail are told as an event, and their keys are missing", async () => {
    const { cache, slow } = await openStepped();
    const errors: string[] = [];
    cache.on("tierError", ({ tier }) => errors.push(tier));
    const warming = cache.warm(["key 1", "key 2"]);
    await settle(3000);
    slow.step("getMany").fail();
    const report = await warming;
    assert.deepEqual(countsOf(report), { ...NONE, missing: 2 });
    assert.deepEqual([report.stopped, errors], ["done", ["slow"]]);
    slow.flow();
    await cache.close();
  });

  it("do not bring back what is deleted or replaced while they are read", async () => {
    const { cache, slow } = await openStepped();
    const warming = cache.warm(["key 1", "key 2", "key 3"]);
    await settle(3000);
    const read = slow.step("getMany");
    // It has been read, and not answered yet.
    read.advance();
    slow.isFlowing = true;
    await cache.delete("key 1");
    await cache.set("key 2", "new");
    read.advance();
    assert.deepEqual(countsOf(await warming), { ...NONE, warmed: 1, declined: 2 });
    assert.deepEqual(
      ["key 1", "key 2", "key 3"].map((key) => cache.peek(key)),
      [undefined, "new", "key 3"],
    );
    await cache.close();
  });
});

describe("Cache.warm() loader", () => {
  it("is asked in batches for what no tier has, with what the source gave", async () => {
    const { cache } = await openCold({ keys: ["k0"] });
    await using _ = cache;
    const asked: string[][] = [];
    const items = Array.from({ length: 7 }, (_, at) => ({ key: `k${at}`, text: `text ${at}` }));
    const report = await cache.warm(items, {
      batchSize: 3,
      concurrency: 1,
      ttl: 60,
      loader: (missing, { items }) => {
        asked.push(missing);
        return items.map(({ key, text }) => key === "k5" ? undefined : text);
      },
    });
    assert.deepEqual(asked, [["k1", "k2"], ["k3", "k4", "k5"], ["k6"]]);
    assert.deepEqual(countsOf(report), { ...NONE, warmed: 6, loaded: 5, missing: 1 });
    assert.equal(await cache.get("k6"), "text 6");
  });

  it("fails for its batch only, and ends the work when it goes on failing", async () => {
    const { cache } = await openCold({ keys: [] });
    await using _ = cache;
    let calls = 0;
    const once = await cache.warm(["a", "b", "c"], {
      batchSize: 1,
      concurrency: 1,
      loader: (missing) => {
        if (++calls === 2) throw new Error("second");
        return missing;
      },
    });
    assert.deepEqual(countsOf(once), { ...NONE, warmed: 2, loaded: 2, failed: 1 });
    assert.equal(once.stopped, "done");
    calls = 0;
    const always = await cache.warm(KEYS, {
      batchSize: 10,
      concurrency: 1,
      loader: () => {
        calls++;
        throw new Error("always");
      },
    });
    assert.equal(always.stopped, "loader-failed");
    assert.equal((always.error as Error).message, "always");
    assert.deepEqual([calls, always.failed], [3, 30]);
  });

  it("has a budget, also of none", async () => {
    const { cache } = await openCold({ keys: ["a"] });
    await using _ = cache;
    const loader = (missing: string[]): string[] => missing;
    const none = await cache.warm(["a", "b"], { loader, maxLoads: 0 });
    assert.deepEqual(countsOf(none), { ...NONE, warmed: 1, missing: 1 });
    const two = await cache.warm(["b", "c", "d"], { loader, maxLoads: 2 });
    assert.deepEqual(countsOf(two), { ...NONE, warmed: 2, loaded: 2, missing: 1 });
    const unseen = await cache.warm(["x"], { loader, maxKeys: 0 });
    assert.deepEqual([countsOf(unseen), unseen.stopped, unseen.cursor], [NONE, "budget", 0]);
    assert.equal(await cache.get("x"), undefined);
  });

  it("shares a load with a caller who came first", async () => {
    const { cache } = await openCold({ keys: [] });
    await using _ = cache;
    const { promise, resolve } = Promise.withResolvers<string>();
    const first = cache.getOrSet("a", () => promise);
    await settle();
    const warming = cache.warm(["a"], { loader: () => assert.fail("loads a second time") });
    await settle();
    resolve("theirs");
    assert.deepEqual(countsOf(await warming), { ...NONE, warmed: 1, loaded: 1 });
    assert.equal(await first, "theirs");
  });

  it("does not bring back what is deleted while it runs", async () => {
    const { cache } = await openCold({ keys: [] });
    await using _ = cache;
    const { promise, resolve } = Promise.withResolvers<void>();
    const warming = cache.warm(["a", "b"], {
      loader: async (missing) => {
        await promise;
        return missing;
      },
    });
    await settle();
    await cache.delete("a");
    resolve();
    await warming;
    assert.deepEqual(await cache.getMany(["a", "b"]), [undefined, "b"]);
  });
});

describe("Cache.warm() limits", () => {
  it("stops when memory is full and drives nothing out", async () => {
    const { cache } = await openCold({ memory: { maxEntries: 100, evictionPolicy: "lru" } });
    await using _ = cache;
    const hot = Array.from({ length: 40 }, (_, at) => `hot ${at}`);
    await cache.setMany(hot.map((key) => ({ key, value: key })));
    const report = await cache.warm(KEYS);
    assert.equal(report.stopped, "full");
    assert.equal(report.fullTier, "memory");
    assert.deepEqual(countsOf(report), { ...NONE, warmed: 60 });
    assert.equal(report.cursor, 60);
    const { tiers: [memory] } = await cache.getStats();
    assert.deepEqual([memory!.entries, memory!.evictions], [100, 0]);
    for (const key of hot) assert.equal(cache.peek(key), key);
    const again = await cache.warm(KEYS.slice(0, 60));
    assert.deepEqual([again.stopped, again.alreadyThere], ["done", 60]);
  });

  it("stays within the limit of bytes, whatever the sizes", async () => {
    const clock = new FakeClock();
    const slow = new MapBackend(clock, "slow");
    await using filling = await CacheManager.open({ backends: [{ backend: slow }], clock });
    await filling.setMany(
      KEYS.map((key, at) => ({ key, value: new Uint8Array(10 + ((at * 7919) % 250) * 37) })),
    );
    await using cache = await CacheManager.open({
      backends: [{ type: "memory", maxBytes: 300_000 }, slow],
      clock,
    });
    const report = await cache.warm(KEYS);
    const { tiers: [memory] } = await cache.getStats();
    assert.equal(report.stopped, "full");
    assert.ok(memory!.bytes! > 200_000 && memory!.bytes! <= 300_000, String(memory!.bytes));
    assert.equal(memory!.evictions, 0);
  });

  it("does not take an empty tier for full, however small it is", async () => {
    for (const maxSizeMb of [1, 8, 32]) {
      const cache = await CacheManager.open({ backends: [{ type: "memory", maxSizeMb }] });
      const keys = Array.from({ length: 100 }, (_, at) => `${at}`);
      const report = await cache.warm(keys, { loader: (missing) => missing.map(Number) });
      assert.deepEqual([report.stopped, report.warmed], ["done", 100]);
      await cache.close();
    }
  });

  it("loads nothing that a full tier would have to make room for", async () => {
    const clock = new FakeClock();
    await using cache = await CacheManager.open({
      backends: [{ type: "memory" }, { type: "memory", name: "second", maxEntries: 3 }],
      clock,
    });
    await cache.setMany(["a", "b", "c"].map((key) => ({ key, value: key })));
    const report = await cache.warm(["a", "d"], { loader: () => assert.fail("asked") });
    assert.deepEqual([report.stopped, report.fullTier, report.done], ["full", "second", 1]);
    assert.equal(report.cursor, 0);
  });

  it("what was warmed leaves before what was asked for", async () => {
    const { cache } = await openCold({ memory: { maxEntries: 20, evictionPolicy: "lru" } });
    await using _ = cache;
    await cache.setMany(["x", "y"].map((key) => ({ key, value: key })));
    await cache.warm(KEYS);
    for (let at = 0; at < 15; at++) await cache.set(`new ${at}`, at);
    assert.deepEqual([cache.peek("x"), cache.peek("y")], ["x", "y"]);
  });
});

describe("Cache.warm() progress", () => {
  it("tells rate, time left and a cursor, at the pace of the rate limit", async () => {
    const { cache, clock } = await openCold();
    await using _ = cache;
    const seen: WarmProgress[] = [];
    const warming = cache.warm(KEYS, {
      batchSize: 50,
      concurrency: 1,
      rateLimit: 10,
      onProgress: (progress) => seen.push(progress),
    });
    await settle(5000);
    assert.equal(seen.length, 1);
    await clock.advanceAsync(4999);
    await settle(5000);
    assert.equal(seen.length, 1);
    await clock.advanceAsync(1);
    await settle(5000);
    assert.equal(seen.length, 2);
    const { done, total, rate, secondsLeft, cursor } = seen[1]!;
    assert.deepEqual([done, total, rate, secondsLeft, cursor], [100, 250, 20, 7.5, 100]);
    for (let step = 0; step < 4; step++) {
      await clock.advanceAsync(5000);
      await settle(5000);
    }
    const report = await warming;
    assert.deepEqual([report.warmed, report.seconds], [250, 25]);
  });

  it("goes on from a cursor after an abort, and counts each key once", async () => {
    const { cache } = await openCold();
    await using _ = cache;
    const controller = new AbortController();
    const first = await cache.warm(KEYS, {
      batchSize: 20,
      concurrency: 1,
      signal: controller.signal,
      onProgress: ({ done }) => done >= 100 && controller.abort(),
    });
    assert.deepEqual([first.stopped, first.warmed, first.cursor], ["aborted", 100, 100]);
    const second = await cache.warm(KEYS, { resumeFrom: first.cursor });
    assert.deepEqual([second.stopped, second.warmed, second.cursor], ["done", 150, 250]);
    await assert.rejects(cache.warm(KEYS, { signal: controller.signal }), { name: "AbortError" });
  });

  it("takes the most important first", async () => {
    const { cache } = await openCold({ memory: { maxEntries: 10, evictionPolicy: "lru" } });
    await using _ = cache;
    const important = (key: string): number => Number(key.slice(4));
    await cache.warm(KEYS, { priority: important });
    assert.equal(cache.peek("key 249"), "value of key 249");
    assert.equal(cache.peek("key 240"), "value of key 240");
    assert.equal(cache.peek("key 239"), undefined);
    async function* some(): AsyncGenerator<string> {
      await Promise.resolve();
      yield* ["key 1", "key 249", "key 2"];
    }
    const order: string[] = [];
    await cache.clear("key *");
    await cache.warm(some(), {
      batchSize: 1,
      concurrency: 1,
      priority: important,
      loader: (missing) => {
        order.push(...missing);
        return missing;
      },
    });
    assert.deepEqual(order, ["key 249", "key 2", "key 1"]);
  });

  it("passes on what the caller's own function throws", async () => {
    const { cache } = await openCold();
    await using _ = cache;
    const error = new Error("mine");
    const onProgress = (): never => {
      throw error;
    };
    await assert.rejects(cache.warm(KEYS, { onProgress }), error);
  });

  it("ends when the cache is closed, also while the source or a tier hangs", async () => {
    const clock = new FakeClock();
    const slow = new SteppedBackend("slow", { clock });
    const cache = await CacheManager.open({ backends: [{ type: "memory" }, slow], clock });
    async function* hanging(): AsyncGenerator<string> {
      yield "a";
      await new Promise(() => {});
    }
    const one = cache.warm(hanging());
    const two = cache.warm(["b"]);
    await settle();
    const closing = cache.close();
    assert.equal((await one).stopped, "closed");
    assert.equal((await two).stopped, "closed");
    slow.flow();
    await closing;
  });
});

describe("EmbeddingCache.warm() and QueryResultCache.warm()", () => {
  it("embed the texts that no tier has, in batches", async () => {
    await using cache = await CacheManager.open({ backends: [{ type: "memory" }] });
    const vectors = new EmbeddingCache(cache.namespace("v"));
    const asked: string[][] = [];
    const embed = (texts: string[]): number[][] => {
      asked.push(texts);
      return texts.map((text) => [text.length, 1]);
    };
    await vectors.getOrEmbed(["one"], "m", embed);
    async function* documents(): AsyncGenerator<string> {
      await Promise.resolve();
      yield* ["one", "three", "seventeen", "x".repeat(3000)];
    }
    const report = await vectors.warm(documents(), "m", embed, {
      priority: (text) => text.length,
      batchSize: 2,
      concurrency: 1,
    });
    assert.deepEqual(countsOf(report), { ...NONE, warmed: 3, loaded: 3, alreadyThere: 1 });
    assert.deepEqual(asked, [["one"], ["x".repeat(3000), "seventeen"], ["three"]]);
    assert.deepEqual(await vectors.getEmbedding("three", "m"), new Float32Array([5, 1]));
    const list = await vectors.warm(["one", "new"], "m");
    assert.deepEqual(countsOf(list), { ...NONE, alreadyThere: 1, missing: 1 });
    const bad = await vectors.warm(["bad"], "m", () => [[NaN]]);
    assert.deepEqual([bad.failed, (bad.error as { code?: string }).code], [1, "invalid-result"]);
    await assert.rejects(vectors.warm("text" as never, "m"), TypeError);
  });

  it("search for the queries that no tier has", async () => {
    await using cache = await CacheManager.open({ backends: [{ type: "memory" }] });
    const results = new QueryResultCache(cache);
    const queries = Array.from({ length: 20 }, (_, at) => ({ query: `q${at}`, filters: { at } }));
    const report = await results.warm(queries, ({ query, filters }) => {
      if (query === "q19") throw new Error("no index");
      return [query, filters];
    });
    assert.deepEqual(countsOf(report), { ...NONE, warmed: 16, loaded: 16, failed: 4 });
    assert.deepEqual(await results.getResults("q3", { at: 3 }), ["q3", { at: 3 }]);
    const again = await results.warm(queries.slice(0, 17));
    assert.deepEqual(countsOf(again), { ...NONE, alreadyThere: 16, missing: 1 });
  });
});
