import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isCacheError } from "../src/errors.ts";
import { CacheManager } from "../src/manager/cache_manager.ts";
import { QueryResultCache } from "../src/query_result_cache.ts";
import { FakeClock } from "./fakes/fake_clock.ts";
import { MapBackend } from "./fakes/map_backend.ts";
import { recordCalls } from "./fakes/recorded_calls.ts";

const HOUR_MS = 3_600_000;
const HITS = [{ id: "deploy", score: 0.93 }, { id: "undeploy", score: 0.4 }];

async function open(): Promise<{ cache: CacheManager; clock: FakeClock }> {
  const clock = new FakeClock();
  const cache = await CacheManager.open({ backends: [new MapBackend(clock)], clock });
  return { cache, clock };
}

describe("QueryResultCache", () => {
  it("getResults() returns the list that setResults() was given", async () => {
    const { cache } = await open();
    const results = new QueryResultCache(cache);
    assert.equal(await results.getResults("q", { a: 1 }, "bm25"), undefined);
    assert.equal(await results.setResults("q", { a: 1 }, "bm25", HITS), true);
    assert.deepEqual(await results.getResults("q", { a: 1 }, "bm25"), HITS);
    await results.setResults("none", undefined, undefined, []);
    assert.deepEqual(await results.getResults("none"), []);
    assert.deepEqual(results.getStats(), { hits: 2, misses: 1, searches: 0 });
    assert.equal(await results.deleteResults("q", { a: 1 }, "bm25"), true);
    assert.equal(await results.deleteResults("q", { a: 1 }, "bm25"), false);
    assert.equal(await results.getResults("q", { a: 1 }, "bm25"), undefined);
  });

  it("takes filters and ranking strategies for the same whatever the order of their keys", async () => {
    const { cache } = await open();
    const results = new QueryResultCache(cache);
    const filters = { year: 2026, tags: ["a", "b"], range: { from: 1, to: 2 }, gone: undefined };
    await results.setResults(
      "q",
      filters,
      { name: "hybrid", weights: { text: 1, vector: 2 } },
      HITS,
    );
    assert.deepEqual(
      await results.getResults(
        "q",
        { range: { to: 2, from: 1 }, tags: ["a", "b"], year: 2026 },
        { weights: { vector: 2, text: 1 }, name: "hybrid" },
      ),
      HITS,
    );
  });

  it("keeps queries apart that differ in any part", async () => {
    const { cache } = await open();
    const results = new QueryResultCache(cache);
    const queries: [string, unknown?, unknown?][] = [
      ["q"],
      ["Q"],
      ["q "],
      [""],
      ["q", null],
      ["q", {}],
      ["q", { a: 1 }],
      ["q", { a: "1" }],
      ["q", { a: null }],
      ["q", { a: [1, 2] }],
      ["q", { a: [2, 1] }],
      ["q", undefined, "bm25"],
      ["q", undefined, { name: "bm25" }],
      ["q", "bm25"],
      ['q"|undefined|undefined'],
      ['q"', '|undefined|"'],
    ];
    for (const [at, [query, filters, ranking]] of queries.entries()) {
      assert.equal(await results.getResults(query, filters, ranking), undefined);
      await results.setResults(query, filters, ranking, [at]);
    }
    for (const [at, [query, filters, ranking]] of queries.entries()) {
      assert.deepEqual(await results.getResults(query, filters, ranking), [at]);
    }
  });

  it("stays apart from caches with another prefix", async () => {
    const { cache } = await open();
    await new QueryResultCache(cache, { prefix: "one" }).setResults("q", null, null, HITS);
    assert.equal(
      await new QueryResultCache(cache, { prefix: "two" }).getResults("q", null, null),
      undefined,
    );
  });

  it("setResults() leaves its caller free to change the list", async () => {
    const { cache } = await open();
    const results = new QueryResultCache(cache);
    const list = [1, 2];
    await results.setResults("q", null, null, list);
    list.push(3);
    assert.deepEqual(await results.getResults("q", null, null), [1, 2]);
  });

  it("getOrSearch() searches once, and once for all who ask at the same time", async () => {
    const { cache } = await open();
    const results = new QueryResultCache(cache);
    let searches = 0;
    const search = (): Promise<typeof HITS> => {
      searches++;
      return Promise.resolve(HITS);
    };
    const lists = await Promise.all(
      [1, 2, 3].map(() => results.getOrSearch("q", { a: 1 }, "bm25", search)),
    );
    lists.push(await results.getOrSearch("q", { a: 1 }, "bm25", search));
    assert.deepEqual(lists, [HITS, HITS, HITS, HITS]);
    assert.equal(searches, 1);
    assert.deepEqual(results.getStats(), { hits: 3, misses: 1, searches: 1 });
  });

  it("getOrSearch() stores nothing when the search fails or returns no list", async () => {
    const { cache } = await open();
    const results = new QueryResultCache(cache);
    const failure = new Error("index is down");
    await assert.rejects(
      results.getOrSearch("q", null, null, () => Promise.reject(failure)),
      failure,
    );
    for (const value of [undefined, null, "list", { length: 0 }, new Float32Array(2)]) {
      await assert.rejects(
        results.getOrSearch("q", null, null, () => value as unknown as []),
        (error: unknown) => isCacheError(error, "invalid-result"),
      );
    }
    assert.equal(await results.getResults("q", null, null), undefined);
    assert.deepEqual(await results.getOrSearch("q", null, null, () => [1]), [1]);
  });

  it("takes a value that is no list for a miss", async () => {
    const { cache } = await open();
    const { recorded, calls } = recordCalls(cache);
    const results = new QueryResultCache(recorded);
    await results.getResults("q", null, null);
    const key = calls[0]!.parameters[0] as string;
    for (const value of ["list", null, { 0: 1, length: 1 }]) {
      await cache.set(key, value);
      assert.equal(await results.getResults("q", null, null), undefined);
      assert.deepEqual(await results.getOrSearch("q", null, null, () => [1]), [1]);
      assert.deepEqual(await cache.get(key), [1]);
    }
  });

  it("an abort ends its caller's wait and tells the search", async () => {
    const { cache } = await open();
    const results = new QueryResultCache(cache);
    const abort = new AbortController();
    const searching = Promise.withResolvers<AbortSignal>();
    const wait = results.getOrSearch("q", null, null, ({ signal }) => {
      searching.resolve(signal);
      return new Promise<number[]>((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason))
      );
    }, { signal: abort.signal });
    const signal = await searching.promise;
    abort.abort(new Error("left"));
    await assert.rejects(wait, /left/);
    assert.equal(signal.aborted, true);
  });

  it("forgets lists after 24 hours where nothing else is said", async () => {
    const { cache, clock } = await open();
    const results = new QueryResultCache(cache);
    const short = new QueryResultCache(cache, { prefix: "short", defaultTtl: "1h" });
    await results.setResults("set", null, null, HITS);
    await results.getOrSearch("searched", null, null, () => HITS);
    await results.setResults("longer", null, null, HITS, { ttl: "2d" });
    await short.setResults("set", null, null, HITS);
    const found = async (): Promise<boolean[]> =>
      (await Promise.all([
        results.getResults("set", null, null),
        results.getResults("searched", null, null),
        results.getResults("longer", null, null),
        short.getResults("set", null, null),
      ])).map((list) => list !== undefined);
    assert.deepEqual(await found(), [true, true, true, true]);
    clock.advance(HOUR_MS);
    assert.deepEqual(await found(), [true, true, true, false]);
    clock.advance(23 * HOUR_MS);
    assert.deepEqual(await found(), [false, false, true, false]);
  });

  it("deleteByTag() drops what was set or searched with the tag", async () => {
    const { cache } = await open();
    const results = new QueryResultCache(cache);
    await results.setResults("set", null, null, HITS, { tags: ["docs"] });
    await results.getOrSearch("searched", null, null, () => HITS, { tags: ["docs", "more"] });
    await results.setResults("kept", null, null, HITS, { tags: ["more"] });
    await results.deleteByTag("docs");
    assert.equal(await results.getResults("set", null, null), undefined);
    assert.equal(await results.getResults("searched", null, null), undefined);
    assert.deepEqual(await results.getResults("kept", null, null), HITS);
  });

  it("refuses options and arguments of a wrong kind, by name", async () => {
    const { cache } = await open();
    const make = (options: unknown) => () => new QueryResultCache(cache, options as object);
    assert.throws(make({ defaultTTL: 5 }), /'defaultTTL' is not known.*defaultTtl/);
    assert.throws(make({ prefix: "a:b" }), TypeError);
    assert.throws(make({ defaultTtl: 0 }), RangeError);
    const results = new QueryResultCache(cache);
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    await assert.rejects(results.getResults("q", cycle), /'filters\.self' refers back/);
    await assert.rejects(
      results.getResults("q", null, { boost: () => 1 }),
      /'rankingStrategy\.boost' is a function/,
    );
    await assert.rejects(
      results.getResults(5 as unknown as string),
      /'query' must be a string: current value is 5/,
    );
    await assert.rejects(results.setResults("q", null, null, "list" as unknown as []), TypeError);
    await assert.rejects(
      results.getOrSearch("q", null, null, [] as unknown as () => []),
      TypeError,
    );
  });
});
