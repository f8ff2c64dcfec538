import { parseDuration, show } from "../config.ts";
import { CacheError } from "../errors.ts";
import type { OperationOptions } from "../types.ts";
import type {
  Cache,
  GetStreamOptions,
  Loader,
  LoadOptions,
  ManyLoader,
  ReadOptions,
  SetEntry,
  SetOptions,
  SetStreamOptions,
} from "./cache.ts";
import { warm } from "../warming/warm.ts";
import type { WarmItem, WarmOptions, WarmReport, WarmSource } from "../warming/warm_options.ts";
import { WAIT } from "./instant_reads.ts";
import { readLoadPolicy } from "./load_policy.ts";
import type { Loads, LoadStorage, NamedKey } from "./loads.ts";
import type { Scope } from "./scope.ts";
import { checkCount, checkStream, rangeOf } from "./stream_options.ts";
import type { TierStack } from "./tier_stack.ts";
import type { Write } from "./write.ts";

/** What a cache and its namespaces share. */
export interface CacheCore {
  /** The tiers. */
  readonly stack: TierStack;
  /** The loads under way. */
  readonly loads: Loads;
  /** How long values live where a write does not say, in milliseconds. */
  readonly defaultTtl: number;
  /** Whether the cache is closed. */
  isClosed: boolean;
  /** Aborted when it is. */
  readonly closing: AbortSignal;
}

/** The keys of one namespace, over the tiers that all of them share. */
export class ScopedCache implements Cache {
  readonly #core: CacheCore;
  readonly #scope: Scope;

  /** Made by {@linkcode CacheManager.open} and {@linkcode Cache.namespace}. */
  constructor(core: CacheCore, scope: Scope) {
    this.#core = core;
    this.#scope = scope;
  }

  /** See {@linkcode Cache.get}. */
  get<T = unknown>(key: string, options?: ReadOptions): Promise<T | undefined> {
    // A hit without an async function around it; see bench/memory_hit_bench.ts.
    if (options === undefined && typeof key === "string") {
      const value = this.#core.stack.instant.get(this.#scope.key(key));
      if (value !== WAIT) return Promise.resolve(value) as Promise<T>;
    }
    return this.#getFromTiers(key, options?.signal) as Promise<T | undefined>;
  }

  /** See {@linkcode Cache.set}. */
  set(key: string, value: unknown, options: SetOptions = {}): Promise<boolean> {
    try {
      const write = this.#write("set", key, value, options);
      options.signal?.throwIfAborted();
      return this.#core.stack.instant.writes.set(write) ?? this.#setInTiers(write, options.signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** See {@linkcode Cache.delete}. */
  async delete(key: string, { signal }: OperationOptions = {}): Promise<boolean> {
    const stored = this.#key("delete", key);
    signal?.throwIfAborted();
    return await this.#core.stack.delete(stored, signal);
  }

  /** See {@linkcode Cache.exists}. */
  async exists(key: string, { signal }: OperationOptions = {}): Promise<boolean> {
    const stored = this.#key("look up", key);
    signal?.throwIfAborted();
    return await this.#core.stack.exists(stored, signal);
  }

  /** See {@linkcode Cache.clear}. */
  async clear(pattern?: string, { signal }: OperationOptions = {}): Promise<number> {
    this.#assertOpen("clear");
    if (pattern !== undefined && typeof pattern !== "string") {
      throw new TypeError(
        `Cannot clear: pattern must be a string: current value is ${show(pattern)}`,
      );
    }
    signal?.throwIfAborted();
    let removed = 0;
    for (const stored of this.#scope.patterns(pattern)) {
      removed += await this.#core.stack.clear(stored, signal);
    }
    return removed;
  }

  /** See {@linkcode Cache.getMany}. */
  async getMany<T = unknown>(
    keys: readonly string[],
    { signal }: ReadOptions = {},
  ): Promise<(T | undefined)[]> {
    const stored = this.#keys("get", keys);
    signal?.throwIfAborted();
    const found = await this.#core.stack.getMany([...new Set(stored)], signal);
    return stored.map((key) => found.get(key) as T | undefined);
  }

  /** See {@linkcode Cache.setMany}. */
  async setMany(entries: readonly SetEntry[], { signal }: OperationOptions = {}): Promise<boolean> {
    this.#assertOpen("set");
    assertArray("set", "entries", entries);
    const writes = new Map<string, Write>();
    for (const entry of entries) {
      if (typeof entry !== "object" || entry === null) {
        throw new TypeError(
          `Cannot set: entries must be objects with key and value: current value is ${show(entry)}`,
        );
      }
      const write = this.#write("set", entry.key, entry.value, entry);
      writes.set(write.key, write);
    }
    signal?.throwIfAborted();
    return (await this.#core.stack.setMany([...writes.values()], signal)).stored;
  }

  /** See {@linkcode Cache.deleteMany}. */
  async deleteMany(keys: readonly string[], { signal }: OperationOptions = {}): Promise<number> {
    const stored = new Set(this.#keys("delete", keys));
    signal?.throwIfAborted();
    return await this.#core.stack.deleteMany([...stored], signal);
  }

  /** See {@linkcode Cache.getOrSet}. */
  getOrSet<T>(key: string, loader: Loader<T>, options?: LoadOptions): Promise<T> {
    if (options === undefined && typeof key === "string") {
      const value = this.#core.stack.instant.get(this.#scope.key(key));
      if (value !== WAIT) return Promise.resolve(value) as Promise<T>;
    }
    return this.#load(key, loader, options ?? {}) as Promise<T>;
  }

  /** See {@linkcode Cache.getOrSetMany}. */
  async getOrSetMany<T>(
    keys: readonly string[],
    loadMissing: ManyLoader<T>,
    options: SetOptions = {},
  ): Promise<T[]> {
    const storage = this.#storage("load", options);
    assertLoader(loadMissing);
    const stored = this.#keys("load", keys);
    const named = new Map<string, NamedKey>();
    keys.forEach((given, at) => named.set(given, { given, stored: stored[at]! }));
    options.signal?.throwIfAborted();
    const values = await this.#core.loads.getOrSetMany(
      [...named.values()],
      loadMissing,
      storage,
      options.signal,
    );
    return stored.map((key) => values.get(key) as T);
  }

  /** See {@linkcode Cache.setStream}. */
  async setStream(
    key: string,
    readable: ReadableStream<Uint8Array>,
    options: SetStreamOptions = {},
  ): Promise<boolean> {
    const { streams } = this.#core.stack;
    const stored = this.#key("set stream", key);
    const storage = this.#storage("set stream", options);
    const source = checkStream(readable);
    const size = checkCount("set stream", "size", options.size);
    const version = this.#core.stack.stamp();
    return await streams.set({ key: stored, source, size, version, ...storage }, options.signal);
  }

  /** See {@linkcode Cache.getStream}. */
  async getStream(
    key: string,
    options: GetStreamOptions = {},
  ): Promise<ReadableStream<Uint8Array> | undefined> {
    const stored = this.#key("get stream", key);
    return await this.#core.stack.streams.get(
      { key: stored, range: rangeOf(options) },
      options.signal,
    );
  }

  /** See {@linkcode Cache.deleteByTag}. */
  async deleteByTag(tag: string, { signal }: OperationOptions = {}): Promise<void> {
    const [stored] = this.#tags("delete by tag", [tag]);
    this.#assertOpen("delete by tag");
    signal?.throwIfAborted();
    await this.#core.stack.deleteByTag(stored!);
  }

  /** See {@linkcode Cache.peek}. */
  peek<T = unknown>(key: string): T | undefined {
    return this.#core.stack.instant.peek(this.#key("peek", key)) as T | undefined;
  }

  /** See {@linkcode Cache.namespace}. */
  namespace(name: string): Cache {
    if (typeof name !== "string" || name === "") {
      throw new TypeError(
        `Cannot open namespace: name must be a non-empty string: current value is ${show(name)}`,
      );
    }
    return new ScopedCache(this.#core, this.#scope.inside(name));
  }

  async #setInTiers(write: Write, signal: AbortSignal | undefined): Promise<boolean> {
    return (await this.#core.stack.set(write, signal)).stored;
  }

  /** See {@linkcode Cache.warm}. */
  async warm<I extends WarmItem>(
    source: WarmSource<I>,
    options: WarmOptions<I> = {},
  ): Promise<WarmReport> {
    this.#assertOpen("warm");
    return await warm(
      {
        core: this.#core,
        scope: this.#scope,
        lookInside: (cache) =>
          cache instanceof ScopedCache ? { core: cache.#core, scope: cache.#scope } : undefined,
        storageOf: (ttl, tags) => this.#storage("warm", { ttl, tags }),
      },
      source,
      options,
    );
  }

  async #getFromTiers(key: string, signal: AbortSignal | undefined): Promise<unknown> {
    const stored = this.#key("get", key);
    signal?.throwIfAborted();
    return await this.#core.stack.get(stored, signal);
  }

  async #load<T>(key: string, loader: Loader<T>, options: LoadOptions): Promise<unknown> {
    const stored = this.#key("load", key);
    const placed = this.#storage("load", options);
    const policy = readLoadPolicy(options);
    const storage = { ...placed, policy };
    assertLoader(loader);
    options.signal?.throwIfAborted();
    if (policy === undefined || policy.refreshAhead === Infinity) {
      const value = this.#core.stack.instant.get(stored);
      if (value !== WAIT) return value;
    }
    return await this.#core.loads.getOrSet(
      { given: key, stored },
      loader,
      storage,
      options.signal,
    );
  }

  #write(action: string, key: string, value: unknown, options: SetOptions): Write {
    return {
      key: this.#key(action, key),
      value,
      ...this.#storage(action, options),
      version: this.#core.stack.stamp(),
    };
  }

  #storage(action: string, options: SetOptions): LoadStorage {
    if (typeof options !== "object" || options === null) {
      throw new TypeError(
        `Cannot ${action}: options must be an object such as { ttl: 3600 }: current value is ${
          show(options)
        }`,
      );
    }
    const { ttl, tags, cost } = options;
    return {
      cost: cost === undefined ? undefined : checkedCost(action, cost),
      ttl: ttl === undefined
        ? this.#core.defaultTtl
        : parseDuration(ttl, `Cannot ${action}: 'ttl'`),
      tags: tags === undefined ? NO_TAGS : this.#tags(action, tags),
    };
  }

  #tags(action: string, tags: readonly string[]): string[] {
    if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === "string")) {
      throw new TypeError(`Cannot ${action}: tags must be strings: current value is ${show(tags)}`);
    }
    return [...new Set(tags)].map((tag) => this.#scope.key(tag));
  }

  #keys(action: string, keys: readonly string[]): string[] {
    this.#assertOpen(action);
    assertArray(action, "keys", keys);
    // Unlike map, this sees holes too.
    return Array.from(keys, (key) => this.#key(action, key));
  }

  #key(action: string, key: string): string {
    this.#assertOpen(action);
    if (typeof key !== "string") {
      throw new TypeError(`Cannot ${action}: key must be a string: current value is ${show(key)}`);
    }
    return this.#scope.key(key);
  }

  #assertOpen(action: string): void {
    assertOpen(this.#core, action);
  }
}

/** @throws {CacheError} `"closed"` when the cache is. */
export function assertOpen(core: CacheCore, action: string): void {
  if (core.isClosed) throw new CacheError("closed", `Cannot ${action}: cache is closed`);
}

const NO_TAGS: readonly string[] = Object.freeze([]);

function assertArray(action: string, what: string, value: unknown): void {
  if (!Array.isArray(value)) {
    throw new TypeError(
      `Cannot ${action}: ${what} must be an array: current value is ${show(value)}`,
    );
  }
}

function assertLoader(loader: unknown): void {
  if (typeof loader !== "function") {
    throw new TypeError(`Cannot load: loader must be a function: current value is ${show(loader)}`);
  }
}

/** @throws {TypeError} or a RangeError for what is no cost. */
function checkedCost(action: string, cost: unknown): number {
  const message = `Cannot ${action}: 'cost' must be a number from 0 on: current value is ${
    show(cost)
  }`;
  if (typeof cost !== "number") throw new TypeError(message);
  if (!(cost >= 0 && cost < Infinity)) throw new RangeError(message);
  return cost;
}
