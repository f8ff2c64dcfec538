/**
 * A cache of embeddings: vectors by model and text.
 *
 * @module
 */

import { assertStore } from "./_assert_store.ts";
import { toVector, toVectors } from "./_vector.ts";
import { show } from "./config.ts";
import { EmbeddingKeys } from "./embedding_keys.ts";
import { type EmbeddingModel, type EmbeddingTarget, targetOf } from "./embedding_model.ts";
import {
  type Embed,
  type EmbeddingCacheOptions,
  type EmbeddingCacheStats,
  type EmbeddingReadOptions,
  type EmbeddingStore,
  type EmbeddingWriteOptions,
  type ResolvedEmbeddingOptions,
  resolveEmbeddingOptions,
  STORE_METHODS,
} from "./embedding_cache_options.ts";
import { type EmbeddingWarmOptions, warmTexts } from "./embedding_warm.ts";
import { CacheError } from "./errors.ts";
import type { MaybePromise } from "./maybe_promise.ts";
import type { WarmReport } from "./warming/warm_options.ts";
import type { ManyLoader, ReadOptions, SetOptions } from "./manager/cache.ts";

export type {
  Embed,
  EmbeddingCacheOptions,
  EmbeddingCacheStats,
  EmbeddingReadOptions,
  EmbeddingStore,
  EmbeddingWriteOptions,
} from "./embedding_cache_options.ts";
export type { EmbeddingWarmOptions } from "./embedding_warm.ts";
export type { EmbeddingModel } from "./embedding_model.ts";
export type { EmbeddingStorageName } from "./embedding_storage.ts";

/**
 * Caches the vectors that a model makes of texts. Vectors come back bit for
 * bit as `Float32Array`, from memory without a copy.
 *
 * Two texts share a vector only when they are the same string, code unit by
 * code unit, and the model is the same in all that was given of it. A short
 * text is part of the key as it is, a long one by its SHA-256: see
 * {@linkcode EmbeddingCacheOptions.digestTextsOver}.
 *
 * A vector that is returned is shared with the cache and with other callers:
 * it must not be changed; `.slice()` makes one of your own. A vector that is
 * handed in is copied, and may be changed afterwards.
 *
 * @example Ask the model only for what is missing
 * ```ts
 * import { CacheManager, EmbeddingCache } from "@strata/cache";
 *
 * await using cache = await CacheManager.open({ backends: [{ type: "memory", maxSizeMb: 64 }] });
 * const embeddings = new EmbeddingCache(cache);
 *
 * const asked: string[] = [];
 * const model = (texts: string[]) => {
 *   asked.push(...texts);
 *   return texts.map((text) => new Float32Array([text.length, 1, 0]));
 * };
 * await embeddings.getOrEmbed(["one", "three", "one"], "toy-model", model);
 * const vectors = await embeddings.getOrEmbed(["three", "seven"], "toy-model", model);
 *
 * console.assert(asked.join() === "one,three,seven");
 * console.assert(vectors.map((vector) => vector[0]).join() === "5,5");
 * ```
 */
export class EmbeddingCache {
  readonly #cache: EmbeddingStore;
  readonly #options: ResolvedEmbeddingOptions;
  readonly #keys: EmbeddingKeys;
  #lastTarget: EmbeddingTarget | undefined;
  #hits = 0;
  #misses = 0;
  #modelCalls = 0;
  #modelCallsSaved = 0;
  #textsEmbedded = 0;

  /**
   * Makes a cache of embeddings over a cache.
   *
   * @param cache where the vectors go.
   * @throws {TypeError} when an option is not known or of a wrong type.
   * @throws {RangeError} when an option is out of range.
   */
  constructor(cache: EmbeddingStore, options: EmbeddingCacheOptions = {}) {
    assertStore("Cannot create embedding cache", cache, STORE_METHODS);
    this.#cache = cache;
    this.#options = resolveEmbeddingOptions(options);
    this.#keys = new EmbeddingKeys(this.#options.digestTextsOver);
  }

  /**
   * Reads the vector of a text.
   *
   * @param text any string, taken as it is: not trimmed, not normalised.
   * @returns the vector, or `undefined` on a miss. It is shared and must not be changed.
   */
  async getEmbedding(
    text: string,
    model: string | EmbeddingModel,
    options?: EmbeddingReadOptions,
  ): Promise<Float32Array | undefined> {
    const target = this.#targetOf(model, options?.dimensions);
    const made = this.#keyOf(target, text);
    const key = typeof made === "string" ? made : await made;
    return this.#read(await this.#cache.get(key, signalOf(options)), target);
  }

  /**
   * Reads the vectors of many texts, asking each tier once.
   *
   * @returns in the order of `texts`, `undefined` for a miss.
   */
  async getEmbeddings(
    texts: readonly string[],
    model: string | EmbeddingModel,
    options?: EmbeddingReadOptions,
  ): Promise<(Float32Array | undefined)[]> {
    const target = this.#targetOf(model, options?.dimensions);
    const values = await this.#cache.getMany(await this.#keysOf(target, texts), signalOf(options));
    return values.map((value) => this.#read(value, target));
  }

  /**
   * Stores the vector of a text.
   *
   * @param vector is copied; numbers are rounded to float32.
   * @returns whether every tier that should hold it does.
   * @throws {TypeError} when the vector is neither a Float32Array nor an array of numbers.
   * @throws {RangeError} when it is empty, has another length than `dimensions`, or holds what is not finite as float32.
   */
  async setEmbedding(
    text: string,
    model: string | EmbeddingModel,
    vector: Float32Array | readonly number[],
    options?: EmbeddingWriteOptions,
  ): Promise<boolean> {
    const target = this.#targetOf(model, options?.dimensions);
    const value = this.#options.storage.pack(
      toVector(vector, target.dimensions, "Cannot set embedding: 'vector'"),
    );
    const key = this.#keyOf(target, text);
    // While a digest is made the caller may change the vector.
    const held = typeof key !== "string" && value === vector ? value.slice() : value;
    return await this.#cache.set(
      typeof key === "string" ? key : await key,
      held,
      this.#writeOptions(options),
    );
  }

  /** Removes the vector of a text. @returns whether it was there. */
  async deleteEmbedding(
    text: string,
    model: string | EmbeddingModel,
    options?: EmbeddingReadOptions,
  ): Promise<boolean> {
    const target = this.#targetOf(model, options?.dimensions);
    return await this.#cache.delete(await this.#keyOf(target, text), signalOf(options));
  }

  /**
   * Reads the vectors of texts, and asks the model for the missing ones: each
   * text once, all in one call, also when other calls want some of them at the
   * same time. When the call fails, its caller gets the error, and those who
   * wait for the same texts try with their own.
   *
   * @param texts any strings; an empty one is a text.
   * @param embed asks the model.
   * @returns in the order of `texts`; equal texts share a vector. The vectors must not be changed.
   * @throws {CacheError} `"invalid-result"` when the model returns another number of vectors, or one that
   * is not a vector, of another length, or not finite; nothing of that result is stored.
   */
  async getOrEmbed(
    texts: readonly string[],
    model: string | EmbeddingModel,
    embed: Embed,
    options?: EmbeddingWriteOptions,
  ): Promise<Float32Array[]> {
    const target = this.#targetOf(model, options?.dimensions);
    const asked = [...Array.isArray(texts) ? texts : []];
    const making = this.#keysOf(target, texts);
    if (typeof embed !== "function") {
      throw new TypeError(
        `Cannot embed: 'embed' must be a function: current value is ${show(embed)}`,
      );
    }
    const keys = await making;
    if (keys.length === 0) return [];
    let textOf: Map<string, string> | undefined;
    const loaded: string[] = [];
    const load: ManyLoader<unknown> = async (missing, { signal }) => {
      this.#misses += missing.length;
      textOf ??= new Map(keys.map((key, at) => [key, asked[at]!]));
      const wanted = missing.map((key) => textOf!.get(key)!);
      const vectors = await this.#embed(wanted, target, embed, signal);
      for (const key of missing) loaded.push(key);
      return vectors.map(this.#options.storage.pack);
    };
    const vectors = await this.#readOrLoad(keys, load, target, this.#writeOptions(options));
    await this.#checkOneLength(vectors, loaded);
    this.#hits += keys.length - loaded.length;
    if (loaded.length === 0) this.#modelCallsSaved++;
    return vectors;
  }

  /**
   * Brings the vectors of texts into the fastest tier before they are asked
   * for: from slower tiers, and from the model where one is given. See
   * {@linkcode Cache.warm}, also for how the work is bounded and resumed.
   *
   * @param texts an array, or anything that can be iterated over, also asynchronously.
   * @param embed asks the model for what no tier has; `undefined` where it is not to be asked.
   * @returns what was done, and why it ended. A model that fails, or returns what is no vector, is told there.
   * @throws {TypeError} when the cache beneath has no `warm`, or an argument is of a wrong type.
   */
  async warm(
    texts: Iterable<string> | AsyncIterable<string>,
    model: string | EmbeddingModel,
    embed?: Embed,
    { dimensions, priority, ttl, tags, ...options }: EmbeddingWarmOptions = {},
  ): Promise<WarmReport> {
    const target = this.#targetOf(model, dimensions);
    return await warmTexts(texts, {
      cache: this.#cache,
      keyOf: (text) => this.#keyOf(target, text),
      options: {
        ...options,
        ttl: ttl ?? this.#options.defaultTtl,
        tags,
        priority: priority && (({ text }) => priority(text)),
      },
      embed: embed &&
        (async (missing, signal) =>
          (await this.#embed(missing, target, embed, signal)).map(this.#options.storage.pack)),
    });
  }

  /** Tells what was found, missed and asked of the model so far. */
  getStats(): EmbeddingCacheStats {
    return {
      hits: this.#hits,
      misses: this.#misses,
      modelCalls: this.#modelCalls,
      modelCallsSaved: this.#modelCallsSaved,
      textsEmbedded: this.#textsEmbedded,
    };
  }

  /** Counts what was read under the key of a text. */
  #read(value: unknown, target: EmbeddingTarget): Float32Array | undefined {
    const vector = this.#options.storage.unpack(value, target.dimensions);
    if (vector === undefined) this.#misses++;
    else this.#hits++;
    return vector;
  }

  async #embed(
    texts: string[],
    target: EmbeddingTarget,
    embed: Embed,
    signal: AbortSignal,
  ): Promise<Float32Array[]> {
    this.#modelCalls++;
    const { length } = texts;
    this.#textsEmbedded += length;
    const vectors: unknown = await embed(texts, { signal });
    return toVectors(vectors, length, target.dimensions);
  }

  async #readOrLoad(
    keys: readonly string[],
    load: ManyLoader<unknown>,
    target: EmbeddingTarget,
    options: SetOptions,
  ): Promise<Float32Array[]> {
    const vectors = await this.#readOrLoadVectors(keys, load, target, options);
    const foreign = keys.filter((_, at) => vectors[at] === undefined);
    if (foreign.length === 0) return vectors as Float32Array[];
    // Something else was stored under these keys: as good as a miss.
    await this.#cache.deleteMany(foreign, signalOf(options));
    const replaced = await this.#readOrLoadVectors(foreign, load, target, options);
    if (replaced.includes(undefined)) {
      throw new CacheError(
        "invalid-result",
        "Cannot embed: something else stores values that are no vectors under the same keys: use another 'prefix'",
      );
    }
    let next = 0;
    return vectors.map((vector) => vector ?? replaced[next++]) as Float32Array[];
  }

  /** @returns vectors in the order of keys; equal keys share one; `undefined` for what is none. */
  async #readOrLoadVectors(
    keys: readonly string[],
    load: ManyLoader<unknown>,
    { dimensions }: EmbeddingTarget,
    options: SetOptions,
  ): Promise<(Float32Array | undefined)[]> {
    const vectors = new Map<unknown, Float32Array | undefined>();
    return (await this.#readOrLoadBatches(keys, load, options)).map((value) => {
      if (!vectors.has(value)) vectors.set(value, this.#options.storage.unpack(value, dimensions));
      return vectors.get(value);
    });
  }

  async #readOrLoadBatches(
    keys: readonly string[],
    load: ManyLoader<unknown>,
    options: SetOptions,
  ): Promise<unknown[]> {
    if (keys.length <= this.#options.maxBatch) {
      return await this.#cache.getOrSetMany(keys, load, options);
    }
    // Batches are filled with what is missing, and each is stored before the next is asked for.
    const found = await this.#cache.getMany(keys, signalOf(options));
    const missing = [...new Set(keys.filter((_, at) => found[at] === undefined))];
    const loaded = new Map<string, unknown>();
    for (let start = 0; start < missing.length; start += this.#options.maxBatch) {
      const batch = missing.slice(start, start + this.#options.maxBatch);
      const values = await this.#cache.getOrSetMany(batch, load, options);
      batch.forEach((key, at) => loaded.set(key, values[at]));
    }
    return keys.map((key, at) => found[at] ?? loaded.get(key));
  }

  /** Vectors of different lengths cannot be compared: the model behind the name has changed. */
  async #checkOneLength(vectors: readonly Float32Array[], loaded: string[]): Promise<void> {
    const { length } = vectors[0]!;
    const other = vectors.find((vector) => vector.length !== length);
    if (other === undefined) return;
    await this.#cache.deleteMany(loaded);
    throw new CacheError(
      "invalid-result",
      `Cannot embed: one model has vectors of ${length} and of ${other.length} dimensions: tell its versions apart by 'version' or 'dimensions'`,
    );
  }

  #writeOptions(options: EmbeddingWriteOptions | undefined): SetOptions {
    return {
      ttl: options?.ttl ?? this.#options.defaultTtl,
      tags: options?.tags,
      signal: options?.signal,
    };
  }

  #keysOf(target: EmbeddingTarget, texts: readonly string[]): MaybePromise<string[]> {
    if (!Array.isArray(texts)) {
      throw new TypeError(
        `Cannot embed: 'texts' must be an array of strings: current value is ${show(texts)}`,
      );
    }
    const keys = Array.from(texts, (text, at) => this.#keyOf(target, text, at));
    return keys.every((key) => typeof key === "string") ? keys : Promise.all(keys);
  }

  #keyOf(target: EmbeddingTarget, text: string, at?: number): MaybePromise<string> {
    if (typeof text !== "string") {
      const name = at === undefined ? "text" : `texts[${at}]`;
      throw new TypeError(
        `Cannot embed: '${name}' must be a string: current value is ${show(text)}`,
      );
    }
    return this.#keys.keyOf(target, text);
  }

  #targetOf(model: string | EmbeddingModel, askedDimensions: number | undefined): EmbeddingTarget {
    const last = this.#lastTarget;
    if (last !== undefined && last.model === model && last.askedDimensions === askedDimensions) {
      return last;
    }
    const target = targetOf(
      model,
      askedDimensions,
      this.#options.prefix,
      this.#options.defaultDimensions,
      this.#options.storage.mark,
    );
    // An object may be changed before it is given again.
    if (typeof model === "string") this.#lastTarget = target;
    return target;
  }
}

/** What the cache beneath needs of the options; nothing where that is all, for it has a faster way then. */
function signalOf(options: EmbeddingReadOptions | undefined): ReadOptions | undefined {
  return options?.signal === undefined ? undefined : { signal: options.signal };
}
