/**
 * The memory tier: live values in this process, within limits of bytes and
 * entries, with a choice of eviction policies. Nothing is ever encoded.
 *
 * @module
 *
 * @example
 * ```ts
 * import { CacheManager } from "@strata/cache";
 *
 * await using cache = await CacheManager.open({
 *   backends: [{ type: "memory", maxSizeMb: 64, evictionPolicy: "lru" }],
 * });
 * await cache.set("greeting", "hello", { ttl: "5m" });
 * console.assert(cache.peek("greeting") === "hello");
 * ```
 */

// deno-lint-ignore-file require-await -- what needs no wait still rejects instead of throwing

import { systemClock } from "../src/clock.ts";
import { ConfigReader, show } from "../src/config.ts";
import type { CacheEntry } from "../src/entry/entry.ts";
import { CacheError } from "../src/errors.ts";
import {
  createEvictionPolicy,
  type EvictionPolicyName,
  evictionPolicyNames,
} from "../src/eviction/policies.ts";
import { compileGlob } from "../src/glob.ts";
import { nearestName } from "../src/nearest_name.ts";
import { sizeOf } from "../src/size_of.ts";
import type { EvictionPolicy, EvictionPolicyFactory } from "../src/eviction/eviction_policy.ts";
import { KeyHash } from "./_key_hash.ts";
import type {
  BackendContext,
  BackendSetOptions,
  BackendStats,
  CacheBackend,
  OperationOptions,
} from "../src/types.ts";
import { detached } from "./memory/detached.ts";
import { MemoryStore } from "./memory/memory_store.ts";
import { Sweeper } from "./memory/sweeper.ts";

/** Config of a memory backend. */
export interface MemoryConfig {
  /** `"memory"`, for the registry. */
  readonly type?: "memory" | undefined;
  /** Names the tier in statistics, events and errors. @default "memory" */
  readonly name?: string | undefined;
  /**
   * The limit in MiB: what the process may grow by, keys and all overhead
   * included. An estimate that errs on the safe side.
   *
   * @default 256, unless `maxBytes` or `maxEntries` is given
   */
  readonly maxSizeMb?: number | undefined;
  /** The same limit in bytes, or as a string such as `"64MB"`. Excludes `maxSizeMb`. */
  readonly maxBytes?: number | string | undefined;
  /** The limit on entries. @default none */
  readonly maxEntries?: number | undefined;
  /**
   * Which entry leaves when a limit is reached, or a function that makes a
   * policy of your own.
   *
   * @default "auto"
   */
  readonly evictionPolicy?: EvictionPolicyName | EvictionPolicyFactory | undefined;
  /**
   * The time between two looks for expired entries, each of which takes some
   * microseconds: seconds, or a string such as `"5s"`. An expired entry is a
   * miss at once; this frees its memory.
   *
   * @default 1
   */
  readonly sweepInterval?: number | string | undefined;
}

const FIELDS: readonly string[] = [
  "type",
  "name",
  "maxSizeMb",
  "maxBytes",
  "maxEntries",
  "evictionPolicy",
  "sweepInterval",
];

const POLICY_METHODS = ["add", "touch", "reweigh", "remove", "evict", "clear"] as const;

const DEFAULT_MAX_BYTES = 256 * 1024 * 1024;
const DEFAULT_POLICY = "auto";
const DEFAULT_SWEEP_INTERVAL_MS = 1000;

/** Evictions are reported together, at most this often, in milliseconds. */
const REPORT_INTERVAL_MS = 100;

/**
 * What an entry costs besides key, tags and value: the entry and its content,
 * its share of the map, of the arrays by slot and of the policy's, and of what
 * the garbage collector leaves unused. Measured by bench/memory_limit.ts.
 */
const ENTRY_BYTES = 400;

const STANDALONE_CONTEXT: BackendContext = { clock: systemClock, report: () => {} };

/**
 * Opens a memory backend.
 *
 * @param config as {@linkcode MemoryConfig} says.
 * @param context clock and listener.
 * @throws {TypeError} when a field is unknown or of a wrong type.
 * @throws {RangeError} when a number is out of range.
 */
export function createMemoryBackend(
  config: Readonly<Record<string, unknown>>,
  context: BackendContext,
): MemoryBackend {
  return new MemoryBackend(config, context);
}

/**
 * A store of live values in this process.
 *
 * A value is kept as it is and handed out as it is: whoever gets it must not
 * change it. `set` of an entry that {@linkcode CacheEntry.isLive} is done when
 * it returns its promise.
 */
export class MemoryBackend implements CacheBackend {
  /** Names the tier in statistics, events and errors. */
  readonly name: string;
  readonly #context: BackendContext;
  readonly #store: MemoryStore;
  readonly #sweeper: Sweeper;
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  #reportedEvictions = 0;
  #cancelReport: (() => void) | undefined;
  #isClosed = false;

  /**
   * Creates an empty store.
   *
   * @param config limits and policy.
   * @param context clock and listener; the system's clock and none when it is not given.
   * @throws {TypeError} when a field is unknown or of a wrong type.
   * @throws {RangeError} when a number is out of range.
   */
  constructor(
    config: Readonly<Record<string, unknown>> | MemoryConfig = {},
    context: BackendContext = STANDALONE_CONTEXT,
  ) {
    const reader = new ConfigReader("Cannot open memory backend", config, FIELDS);
    this.name = reader.string("name") ?? "memory";
    this.#maxEntries = reader.integer("maxEntries", { min: 1 }) ?? Infinity;
    this.#maxBytes = reader.maxBytes() ??
      (this.#maxEntries === Infinity ? DEFAULT_MAX_BYTES : Infinity);
    const limits = { maxWeight: this.#maxBytes, maxEntries: this.#maxEntries };
    const createPolicy = readPolicy(reader.raw("evictionPolicy"));
    this.#context = context;
    const hash = KeyHash.random();
    this.#store = new MemoryStore(
      context.clock,
      createPolicy(limits),
      limits,
      (key) => hash.lowOf(key),
    );
    this.#sweeper = new Sweeper(
      context.clock,
      this.#store,
      reader.duration("sweepInterval") ?? DEFAULT_SWEEP_INTERVAL_MS,
    );
  }

  /** Reads without waiting, and counts as a use. A miss when the backend is closed. */
  getSync(key: string): CacheEntry | undefined {
    return this.#store.get(key);
  }

  /** Reads without waiting and without counting as a use. A miss when the backend is closed. */
  peek(key: string): CacheEntry | undefined {
    return this.#store.peek(key);
  }

  /** Reads one entry. */
  async get(key: string, options?: OperationOptions): Promise<CacheEntry | undefined> {
    this.#begin(options);
    return this.#store.get(key);
  }

  /**
   * Stores one entry in place of any other of its key, evicting others first
   * where that is needed to stay within the limits.
   *
   * @returns `false` when it is larger than the limit, or on probation and
   * larger than what may be cleared for it.
   * @throws {CacheError} when the entry has to be decoded and cannot.
   */
  async set(key: string, entry: CacheEntry, options?: BackendSetOptions): Promise<boolean> {
    this.#begin(options);
    if (entry.key !== key) {
      throw new TypeError(`Cannot set ${show(key)}: entry is of key ${show(entry.key)}`);
    }
    if (!entry.isLive && await this.#decode(entry, options) === "outdated") return true;
    const held = detached(entry);
    const stored = this.#store.put(held, this.#weigh(held), options);
    this.#sweeper.arm();
    this.#reportEvictions();
    return stored;
  }

  /** Removes one entry. */
  async delete(key: string, options?: OperationOptions): Promise<boolean> {
    this.#begin(options);
    return this.#store.delete(key);
  }

  /** Tells whether a read would hit; does not count as a use. */
  async exists(key: string, options?: OperationOptions): Promise<boolean> {
    this.#begin(options);
    return this.#store.peek(key) !== undefined;
  }

  /** Removes the entries whose keys match a glob, or all. */
  async clear(pattern?: string, options?: OperationOptions): Promise<number> {
    this.#begin(options);
    return pattern === undefined
      ? this.#store.clear()
      : this.#store.deleteMatching(compileGlob(pattern));
  }

  /** Reads many. */
  async getMany(
    keys: readonly string[],
    options?: OperationOptions,
  ): Promise<(CacheEntry | undefined)[]> {
    this.#begin(options);
    return keys.map((key) => this.#store.get(key));
  }

  /** Stores many. */
  async setMany(entries: readonly CacheEntry[], options?: BackendSetOptions): Promise<boolean[]> {
    this.#begin(options);
    return await Promise.all(entries.map((entry) => this.set(entry.key, entry, options)));
  }

  /** Removes many. */
  async deleteMany(keys: readonly string[], options?: OperationOptions): Promise<number> {
    this.#begin(options);
    let live = 0;
    for (const key of keys) if (this.#store.delete(key)) live++;
    return live;
  }

  /** Lists the keys of live entries that match a glob. Entries may come and go meanwhile. */
  async *keys(pattern?: string, options?: OperationOptions): AsyncGenerator<string> {
    this.#begin(options);
    const matches = pattern === undefined ? undefined : compileGlob(pattern);
    for (const key of this.#store.keys()) {
      if (matches !== undefined && !matches(key)) continue;
      yield key;
      this.#begin(options);
    }
  }

  /** Reports what is held. */
  async getStats(): Promise<BackendStats> {
    this.#begin();
    const { size, weight, evictions, expirations } = this.#store;
    return {
      entries: size,
      bytes: weight,
      ...(this.#maxBytes !== Infinity && { maxBytes: this.#maxBytes }),
      ...(this.#maxEntries !== Infinity && { maxEntries: this.#maxEntries }),
      evictions,
      expirations,
    };
  }

  /** Frees everything. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#sweeper.stop();
    this.#cancelReport?.();
    this.#sendReport();
    this.#store.clear();
  }

  #begin(options?: OperationOptions): void {
    options?.signal?.throwIfAborted();
    if (this.#isClosed) {
      throw new CacheError("closed", `Cannot use backend ${this.name}: it is closed`, {
        backend: this.name,
      });
    }
  }

  /** Makes an entry live. It is outdated when a newer one has come in meanwhile. */
  async #decode(entry: CacheEntry, options?: OperationOptions): Promise<"live" | "outdated"> {
    await entry.value();
    this.#begin(options);
    const rival = this.#store.peek(entry.key);
    return rival !== undefined && rival.version > entry.version ? "outdated" : "live";
  }

  #weigh(entry: CacheEntry): number {
    // The map keeps the key under which the first entry came, the entry its own: two strings, maybe.
    const keys = this.#store.holds(entry.key) ? 2 : 1;
    const tags = entry.tags.length === 0 ? 0 : sizeOf(entry.tags);
    return ENTRY_BYTES + keys * sizeOf(entry.key) + tags + sizeOf(entry.value());
  }

  #reportEvictions(): void {
    if (this.#cancelReport !== undefined || this.#store.evictions === this.#reportedEvictions) {
      return;
    }
    this.#cancelReport = this.#context.clock.schedule(
      () => this.#sendReport(),
      REPORT_INTERVAL_MS,
    );
  }

  #sendReport(): void {
    this.#cancelReport = undefined;
    const count = this.#store.evictions - this.#reportedEvictions;
    this.#reportedEvictions = this.#store.evictions;
    if (count > 0) this.#context.report({ kind: "evict", count });
  }
}

function readPolicy(choice: unknown = DEFAULT_POLICY): EvictionPolicyFactory {
  if (typeof choice === "function") {
    return (limits) => checkedPolicy((choice as EvictionPolicyFactory)(limits));
  }
  if (typeof choice === "string" && (evictionPolicyNames as readonly string[]).includes(choice)) {
    return (limits) => createEvictionPolicy(choice, limits);
  }
  const names = evictionPolicyNames.map((name) => `"${name}"`).join(", ");
  throw new TypeError(
    `Cannot open memory backend: 'evictionPolicy' must be one of ${names}, or a function: current value is ${
      show(choice)
    }${typeof choice === "string" ? nearestName(choice, evictionPolicyNames) : ""}`,
  );
}

/** @throws {TypeError} naming the first method that a policy lacks. */
function checkedPolicy(policy: EvictionPolicy): EvictionPolicy {
  const subject = "Cannot open memory backend: 'evictionPolicy' must make an EvictionPolicy";
  if (typeof policy !== "object" || policy === null) {
    throw new TypeError(`${subject}: it made ${show(policy)}`);
  }
  const missing = POLICY_METHODS.find((method) => typeof policy[method] !== "function");
  if (missing !== undefined) throw new TypeError(`${subject}: it has no method '${missing}'`);
  return policy;
}
