/*
 * What a TypeScript program sees of the installed package; it is only checked, never run.
 */

import {
  type Cache,
  CacheManager,
  type CacheManagerOptions,
  EmbeddingCache,
  QueryResultCache,
} from "@strata/cache";

/** Uses each class through its public types. */
export async function useTypes(config: CacheManagerOptions): Promise<Float32Array[]> {
  const cache: Cache = await CacheManager.open(config);
  const stored: boolean = await cache.set("key", { a: 1 }, { ttl: "15m" });
  const results = new QueryResultCache(cache);
  await results.setResults("query", { stored }, "bm25", []);
  return await new EmbeddingCache(cache).getOrEmbed(
    ["text"],
    "model",
    (texts) => texts.map(() => new Float32Array(3)),
  );
}
