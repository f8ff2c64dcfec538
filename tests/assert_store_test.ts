import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EmbeddingCache, type EmbeddingStore } from "../src/embedding_cache.ts";
import { CacheManager } from "../src/manager/cache_manager.ts";
import { QueryResultCache, type QueryResultStore } from "../src/query_result_cache.ts";

const MAKERS: readonly [subject: string, make: (cache: unknown) => unknown][] = [
  ["Cannot create embedding cache", (cache) => new EmbeddingCache(cache as EmbeddingStore)],
  ["Cannot create query result cache", (cache) => new QueryResultCache(cache as QueryResultStore)],
];

describe("new EmbeddingCache() and new QueryResultCache()", () => {
  for (const [subject, make] of MAKERS) {
    it(`refuse what is no cache: ${subject}`, async () => {
      for (const [value, shown] of [[undefined, "undefined"], [null, "null"], ["x", '"x"']]) {
        assert.throws(() => make(value), {
          name: "TypeError",
          message: `${subject}: 'cache' must be a Cache: current value is ${shown}`,
        });
      }
      assert.throws(() => make({}), {
        name: "TypeError",
        message: `${subject}: 'cache' must be a Cache: it has no method 'get'`,
      });
      const opening = CacheManager.open({ backends: [{ type: "memory" }] });
      assert.throws(() => make(opening), {
        name: "TypeError",
        message: `${subject}: 'cache' is a promise: await CacheManager.open() first`,
      });
      await using cache = await opening;
      make(cache);
      make(cache.namespace("inside"));
    });
  }
});
