/**
 * A cache of search results: lists by query, filters and ranking strategy.
 *
 * @module
 */

import { assertStore } from "./_assert_store.ts";
import { canonical } from "./_canonical.ts";
import { ConfigReader, parseDuration, show } from "./config.ts";
import { CacheError } from "./errors.ts";
import { mapLimited } from "./manager/map_limited.ts";
import type { WarmOptions, WarmReport } from "./warming/warm_options.ts";
import type { Cache, Duration, ReadOptions, SetOptions } from "./manager/cache.ts";

/** The methods of a {@linkcode Cache} that a {@linkcode QueryResultCache} uses. */
export type QueryResultStore =
  & Pick<Cache, "get" | "set" | "delete" | "getOrSet" | "deleteByTag">
  & Partial<Pick<Cache, "warm">>;

/** A query that is to be warmed. */
export interface WarmQuery {
  /** The query. */
  readonly query: string;
  /** Its filters. */
  readonly filters?: unknown;
  /** Its ranking strategy. */
  readonly rankingStrategy?: unknown;
}

/** A query on its way to its list. */
interface KeyedQuery extends WarmQuery {
  readonly key: string;
}

/** Options of {@linkcode QueryResultCache.warm}: those of {@linkcode Cache.warm}, but that `priority` gets the query. */
export interface QueryWarmOptions extends Omit<WarmOptions, "loader" | "priority"> {
  /** Higher ones first, as in {@linkcode WarmOptions.priority}. @default {as they come} */
  readonly priority?: ((query: WarmQuery) => number) | undefined;
}

/** Searches that warming runs at once for one batch. */
const SEARCHES_AT_ONCE = 8;

/** Options of {@linkcode QueryResultCache}. */
export interface QueryResultCacheOptions {
  /**
   * Begins every key, up to a colon, so it has none itself.
   *
   * @default {"queries"}
   */
  readonly prefix?: string | undefined;
  /**
   * How long lists live where a call says nothing else: seconds, or a string with a unit.
   *
   * @default {"24h"}
   */
  readonly defaultTtl?: Duration | undefined;
}

/**
 * Makes the list of results for a query that is not cached.
 *
 * @param context its signal is aborted when nobody waits for the list any more.
 */
export type Search<T> = (
  context: { readonly signal: AbortSignal },
) => readonly T[] | Promise<readonly T[]>;

/** What a {@linkcode QueryResultCache} has done since it was made. */
export interface QueryResultCacheStats {
  /** Queries whose list was cached, or came with the search of another call. */
  readonly hits: number;
  /** Queries whose list was not there. */
  readonly misses: number;
  /** Searches that were run. */
  readonly searches: number;
}

/**
 * Caches lists of search results by query, filters and ranking strategy.
 *
 * Filters and ranking strategies may be any plain data: at every depth the
 * order of keys does not matter, nor that of members of a Set or Map; the
 * order of arrays does, and `1` differs from `"1"`, `null` from nothing. A
 * property that is `undefined` counts as absent. Dates, regular expressions,
 * BigInts and typed arrays count by their content. The query is taken as it
 * is: not trimmed, not lower-cased.
 *
 * A list that is returned is shared with the cache and with other callers: it
 * and what it holds must not be changed.
 *
 * @example Search once, and drop what an index change has made wrong
 * ```ts
 * import { CacheManager, QueryResultCache } from "@strata/cache";
 *
 * await using cache = await CacheManager.open({ backends: [{ type: "memory", maxSizeMb: 64 }] });
 * const results = new QueryResultCache(cache);
 *
 * const search = () => [{ id: "deploy", score: 0.93 }];
 * await results.getOrSearch("how to deploy", { year: 2026, lang: "en" }, "bm25", search, { tags: ["docs"] });
 *
 * const again = await results.getResults("how to deploy", { lang: "en", year: 2026 }, "bm25");
 * console.assert(again?.length === 1);
 *
 * await results.deleteByTag("docs");
 * console.assert(await results.getResults("how to deploy", { lang: "en", year: 2026 }, "bm25") === undefined);
 * ```
 */
export class QueryResultCache {
  readonly #cache: QueryResultStore;
  readonly #prefix: string;
  readonly #defaultTtl: Duration;
  #hits = 0;
  #misses = 0;
  #searches = 0;

  /**
   * Makes a cache of search results over a cache.
   *
   * @param cache where the lists go.
   * @throws {TypeError} when an option is not known or of a wrong type.
   * @throws {RangeError} when an option is out of range.
   */
  constructor(cache: QueryResultStore, options: QueryResultCacheOptions = {}) {
    const subject = "Cannot create query result cache";
    assertStore(subject, cache, ["get", "set", "delete", "getOrSet", "deleteByTag"]);
    const reader = new ConfigReader(subject, options, ["prefix", "defaultTtl"]);
    const prefix = reader.string("prefix") ?? "queries";
    if (prefix.includes(":")) {
      throw new TypeError(
        `${subject}: 'prefix' must not have a colon: current value is ${show(prefix)}`,
      );
    }
    const { defaultTtl = "24h" } = options;
    parseDuration(defaultTtl, `${subject}: 'defaultTtl'`);
    this.#cache = cache;
    this.#prefix = prefix;
    this.#defaultTtl = defaultTtl;
  }

  /**
   * Reads the list of a query.
   *
   * @param query any string.
   * @param filters any plain data, or nothing.
   * @param rankingStrategy a name or any plain data, or nothing.
   * @returns the list, or `undefined` on a miss. It is shared and must not be changed.
   * @throws {TypeError} naming the path, when filters or ranking strategy hold what has no content to compare: functions, symbols, cycles, instances of classes.
   */
  async getResults<T = unknown>(
    query: string,
    filters?: unknown,
    rankingStrategy?: unknown,
    options?: ReadOptions,
  ): Promise<readonly T[] | undefined> {
    const list = await this.#cache.get(this.#keyOf(query, filters, rankingStrategy), options);
    if (Array.isArray(list)) {
      this.#hits++;
      return list;
    }
    this.#misses++;
    return undefined;
  }

  /**
   * Stores the list of a query.
   *
   * @param list is copied; what it holds is not, and must not be changed afterwards.
   * @returns whether every tier that should hold it does.
   * @throws {TypeError} when the list is no array or the format of the cache cannot carry it, or as {@linkcode QueryResultCache.getResults} does.
   */
  async setResults<T>(
    query: string,
    filters: unknown,
    rankingStrategy: unknown,
    list: readonly T[],
    options?: SetOptions,
  ): Promise<boolean> {
    if (!Array.isArray(list)) {
      throw new TypeError(
        `Cannot set results: 'list' must be an array: current value is ${show(list)}`,
      );
    }
    const key = this.#keyOf(query, filters, rankingStrategy);
    return await this.#cache.set(key, [...list], this.#writeOptions(options));
  }

  /** Removes the list of a query. @returns whether it was there. */
  async deleteResults(
    query: string,
    filters?: unknown,
    rankingStrategy?: unknown,
    options?: ReadOptions,
  ): Promise<boolean> {
    return await this.#cache.delete(this.#keyOf(query, filters, rankingStrategy), options);
  }

  /**
   * Drops every list that was set with a tag, and whatever else the cache
   * beneath holds with it.
   */
  async deleteByTag(tag: string, options?: ReadOptions): Promise<void> {
    await this.#cache.deleteByTag(tag, options);
  }

  /**
   * Reads the list of a query, or searches and stores it. However many callers
   * ask for the same at the same time, one search runs.
   *
   * @param search makes the list.
   * @returns the list. It is shared and must not be changed.
   * @throws {CacheError} `"invalid-result"` when the search returns no array; nothing is stored then.
   * @throws {TypeError} as {@linkcode QueryResultCache.getResults} does.
   */
  async getOrSearch<T>(
    query: string,
    filters: unknown,
    rankingStrategy: unknown,
    search: Search<T>,
    options?: SetOptions,
  ): Promise<readonly T[]> {
    if (typeof search !== "function") {
      throw new TypeError(
        `Cannot search: 'search' must be a function: current value is ${show(search)}`,
      );
    }
    const key = this.#keyOf(query, filters, rankingStrategy);
    const writeOptions = this.#writeOptions(options);
    let searched = false;
    const load = async ({ signal }: { readonly signal: AbortSignal }): Promise<readonly T[]> => {
      searched = true;
      this.#misses++;
      this.#searches++;
      return copyOfResult(await search({ signal }));
    };
    let list: unknown = await this.#cache.getOrSet(key, load, writeOptions);
    if (!Array.isArray(list)) {
      // Something else was stored under this key: as good as a miss.
      await this.#cache.delete(key, options);
      list = await this.#cache.getOrSet(key, load, writeOptions);
    }
    if (!Array.isArray(list)) {
      throw new CacheError(
        "invalid-result",
        "Cannot search: something else stores values that are no lists under the same keys: use another 'prefix'",
      );
    }
    if (!searched) this.#hits++;
    return list;
  }

  /**
   * Brings the lists of queries into the fastest tier before they are asked
   * for: from slower tiers, and by searching where a search is given. See
   * {@linkcode Cache.warm}, also for how the work is bounded and resumed.
   *
   * @param queries an array, or anything that can be iterated over, also asynchronously.
   * @param search makes the list of a query that no tier has; a few of them run at once.
   * @returns what was done, and why it ended.
   * @throws {TypeError} when the cache beneath has no `warm`, or as that does.
   */
  async warm<T>(
    queries: Iterable<WarmQuery> | AsyncIterable<WarmQuery>,
    search?: (query: WarmQuery, context: { readonly signal: AbortSignal }) => ReturnType<Search<T>>,
    { ttl, tags, ...options }: QueryWarmOptions = {},
  ): Promise<WarmReport> {
    if (this.#cache.warm === undefined) {
      throw new TypeError("Cannot warm queries: the cache beneath has no method 'warm'");
    }
    const keyed = (query: WarmQuery): KeyedQuery => ({
      ...query,
      key: this.#keyOf(query.query, query.filters, query.rankingStrategy),
    });
    const find = async (query: KeyedQuery, signal: AbortSignal): Promise<readonly T[]> => {
      this.#searches++;
      return copyOfResult(await search!(query, { signal }));
    };
    const items = Array.isArray(queries) ? queries.map(keyed) : keyedOf(queries, keyed);
    return await this.#cache.warm<KeyedQuery>(items, {
      // A search that fails costs its batch only.
      batchSize: SEARCHES_AT_ONCE,
      ...options,
      ...this.#writeOptions({ ttl, tags, signal: options.signal }),
      loader: search &&
        ((_, { signal, items }) =>
          mapLimited(items, SEARCHES_AT_ONCE, (query) => find(query, signal))),
    });
  }

  /** Tells what was found, missed and searched so far. */
  getStats(): QueryResultCacheStats {
    return { hits: this.#hits, misses: this.#misses, searches: this.#searches };
  }

  #writeOptions(options: SetOptions | undefined): SetOptions {
    return {
      ttl: options?.ttl ?? this.#defaultTtl,
      tags: options?.tags,
      signal: options?.signal,
    };
  }

  #keyOf(query: string, filters: unknown, rankingStrategy: unknown): string {
    const subject = "Cannot make query key";
    if (typeof query !== "string") {
      throw new TypeError(`${subject}: 'query' must be a string: current value is ${show(query)}`);
    }
    const filterText = canonical(filters, subject, "filters");
    const rankingText = canonical(rankingStrategy, subject, "rankingStrategy");
    // No part has a "|" outside of quotes, so no two lists of parts join to the same key.
    return `${this.#prefix}:${JSON.stringify(query)}|${filterText}|${rankingText}`;
  }
}

async function* keyedOf(
  queries: Iterable<WarmQuery> | AsyncIterable<WarmQuery>,
  keyed: (query: WarmQuery) => KeyedQuery,
): AsyncGenerator<KeyedQuery> {
  for await (const query of queries) yield keyed(query);
}

function copyOfResult<T>(list: readonly T[]): readonly T[] {
  if (Array.isArray(list)) return [...list];
  throw new CacheError(
    "invalid-result",
    `Cannot cache results: search must return an array: current value is ${show(list)}`,
  );
}
