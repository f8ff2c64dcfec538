import type { OperationOptions } from "../types.ts";
import type { WarmItem, WarmOptions, WarmReport, WarmSource } from "../warming/warm_options.ts";

/** Options of reads. */
export type ReadOptions = OperationOptions;

/** How long a value lives: a number of seconds, or a string with a unit: `"250ms"`, `"15m"`, `"7d"`. `Infinity` for ever. */
export type Duration = number | string;

/** Options of writes. */
export interface SetOptions extends OperationOptions {
  /**
   * How long the value lives.
   *
   * @default {CacheManagerOptions.defaultTtl}
   */
  readonly ttl?: Duration | undefined;
  /**
   * Names under which entries are dropped together, see {@linkcode Cache.deleteByTag}.
   *
   * @default {[]}
   */
  readonly tags?: readonly string[] | undefined;
  /**
   * What it costs to get the value again, 0 or more, in any unit that is the
   * same for all: milliseconds, cents. Tiers that evict keep what costs more
   * for longer; what has no cost counts as the mean of those that have one.
   * Tiers in other processes, and after a restart, do not know it.
   *
   * @default {not known; what a load has taken, with {@linkcode CacheManagerOptions.measureLoadCost}}
   */
  readonly cost?: number | undefined;
}

/** Options of {@linkcode Cache.getOrSet}. */
export interface LoadOptions extends SetOptions {
  /**
   * How long past its TTL a value may still be given while it is loaded again,
   * or when its loader fails. Only `getOrSet` with this option gives it; it is
   * a miss to every other read. To be given at each call for the key.
   *
   * @default {0}
   */
  readonly staleFor?: Duration | undefined;
  /** How long a loader is waited for before a stale value is given; it goes on. Below `hardTimeout`. @default {0} */
  readonly softTimeout?: Duration | undefined;
  /** How long a value is waited for at all; then the call rejects with a {@linkcode CacheError} `"timeout"`. @default {Infinity} */
  readonly hardTimeout?: Duration | undefined;
  /**
   * The share of its TTL, between 0 and 1, after which a value is loaded again
   * in the background while it is fresh still.
   *
   * @default never
   */
  readonly refreshAhead?: number | undefined;
  /** How long a `null` that a loader gives is cached: for "there is none". @default {ttl} */
  readonly negativeTtl?: Duration | undefined;
}

/** Options of {@linkcode Cache.setStream}. */
export interface SetStreamOptions extends SetOptions {
  /**
   * Exact number of bytes that will come, where that is known, such as the
   * `Content-Length` of a download. A stream that gives another number is
   * refused, and tiers that take no value of that size are left out at once.
   *
   * @default not known
   */
  readonly size?: number | undefined;
}

/** Options of {@linkcode Cache.getStream}. */
export interface GetStreamOptions extends ReadOptions {
  /** The first byte, counted from 0; past the end there is nothing to read. @default {0} */
  readonly offset?: number | undefined;
  /** The most bytes to be read; 0 for none. @default {to the end} */
  readonly length?: number | undefined;
}

/** One value of {@linkcode Cache.setMany}. */
export interface SetEntry {
  /** The key. */
  readonly key: string;
  /** The value; anything but `undefined`. */
  readonly value: unknown;
  /** How long it lives. @default {CacheManagerOptions.defaultTtl} */
  readonly ttl?: Duration | undefined;
  /** Names under which entries are dropped together. @default {[]} */
  readonly tags?: readonly string[] | undefined;
  /** What it costs to get the value again, see {@linkcode SetOptions.cost}. @default {not known} */
  readonly cost?: number | undefined;
}

/** What a loader is told. */
export interface LoadContext {
  /** Aborted when nobody waits for the value any more. */
  readonly signal: AbortSignal;
  /** The key that is missing, as the caller gave it. */
  readonly key: string;
}

/** What a batch loader is told. */
export interface LoadManyContext {
  /** Aborted when nobody waits for any of the values any more. */
  readonly signal: AbortSignal;
}

/** Makes the value of a key that no tier has. `undefined` is passed on and not cached; `null` is cached. */
export type Loader<T> = (context: LoadContext) => T | Promise<T>;

/** Makes the values of keys that no tier has, in their order. */
export type ManyLoader<T> = (
  missing: string[],
  context: LoadManyContext,
) => readonly T[] | Promise<readonly T[]>;

/**
 * What a cache does; {@linkcode CacheManager} and its namespaces are caches.
 *
 * A miss is `undefined`; a stored `null` comes back as `null`. Values are
 * shared: what a read returns, and any object given to a write, must not be
 * changed afterwards. Typed arrays and other binary values are copied by a write.
 */
export interface Cache {
  /**
   * Reads a value from the first tier that has it, and promotes it into the faster ones.
   *
   * @param key any string.
   * @returns the value, or `undefined` on a miss. A failing tier is a miss.
   */
  get<T = unknown>(key: string, options?: ReadOptions): Promise<T | undefined>;

  /**
   * Writes a value to every tier that admits it.
   *
   * @param key any string.
   * @param value anything but `undefined`.
   * @returns whether every tier that should hold it does, or has a later write or delete of the key.
   * @throws {TypeError} when the format of the cache cannot carry the value; nothing is stored then.
   */
  set(key: string, value: unknown, options?: SetOptions): Promise<boolean>;

  /**
   * Removes a key from every tier. Where processes share a tier, it also wins over
   * what another one writes in the 500 ms after it: so far their clocks may be apart.
   *
   * @returns whether any tier had it.
   */
  delete(key: string, options?: OperationOptions): Promise<boolean>;

  /** Tells whether a tier holds a key. Does not look at tags: true also for an entry that {@linkcode Cache.deleteByTag} has dropped. */
  exists(key: string, options?: OperationOptions): Promise<boolean>;

  /**
   * Removes what matches a glob, or everything in this namespace and those inside it.
   *
   * @param pattern as {@linkcode compileGlob} reads it. Keys of namespaces inside this one read `@name:key`.
   * @returns the number of entries removed, counted in the tier that held most.
   */
  clear(pattern?: string, options?: OperationOptions): Promise<number>;

  /** Reads many values, asking each tier once. @returns values in the order of `keys`, `undefined` for a miss. */
  getMany<T = unknown>(keys: readonly string[], options?: ReadOptions): Promise<(T | undefined)[]>;

  /** Writes many values, asking each tier once; the last of equal keys counts. @returns whether every tier that should hold them does. */
  setMany(entries: readonly SetEntry[], options?: OperationOptions): Promise<boolean>;

  /** Removes many keys, asking each tier once. @returns how many of them were there, counted in the tier that held most. */
  deleteMany(keys: readonly string[], options?: OperationOptions): Promise<number>;

  /**
   * Reads a value, or loads and stores it. However many callers wait for a key,
   * one loader runs at a time; when it fails its caller gets the error, and
   * the next in line tries with a loader of its own.
   *
   * Where the processes of a cluster share a lock service (see
   * {@linkcode CoordinationConfig.locks}), that goes for all of them.
   *
   * @param loader makes the value. It must not wait for its own key: where it
   * asks for it at once the call fails, later on it ends with `hardTimeout`. One
   * that never ends is given up when somebody has waited for it in vain, by
   * `hardTimeout` or `AbortSignal.timeout`, who came after another had; without
   * those it is waited for.
   * @returns the value, cached or loaded.
   * @throws {CacheError} `"timeout"` when there is none within `hardTimeout`.
   *
   * @example Stale values while they are loaded again
   * ```ts
   * import { CacheManager } from "@strata/cache";
   *
   * await using cache = await CacheManager.open({ backends: [{ type: "memory", maxSizeMb: 8 }] });
   * const rate = await cache.getOrSet("rate", () => 1.08, {
   *   ttl: "1m",
   *   staleFor: "1h",
   *   softTimeout: "200ms",
   *   hardTimeout: "5s",
   * });
   * console.assert(rate === 1.08);
   * ```
   */
  getOrSet<T>(key: string, loader: Loader<T>, options?: LoadOptions): Promise<T>;

  /**
   * Reads many values, and loads and stores the missing ones in one call. A key
   * that another caller is loading already is waited for instead; where the
   * processes of a cluster share a lock service, so is one that another process
   * is loading. What that fails to load is loaded here, in a further call.
   *
   * @param loadMissing makes the values of the missing keys, each asked once.
   * @returns values in the order of `keys`.
   */
  getOrSetMany<T>(
    keys: readonly string[],
    loadMissing: ManyLoader<T>,
    options?: SetOptions,
  ): Promise<T[]>;

  /**
   * Writes bytes that come as a stream to every tier at once, at the pace of
   * the slowest; only a few MiB of them are in memory. Tiers that take no
   * streams, such as memory, hold it up to 16 MiB. Nothing of it can be read
   * before its end. A tier that fails, or takes nothing within its deadline, is
   * left behind; a write or delete of the key that comes meanwhile wins.
   *
   * @param readable is read to its end, or cancelled. Nothing may have been read from it before.
   * @returns whether every tier that should hold it does.
   * @throws {TypeError} when it is no such stream, or gives what is no `Uint8Array`; otherwise what the stream fails with, or the signal's reason. What was there stays then.
   */
  setStream(
    key: string,
    readable: ReadableStream<Uint8Array>,
    options?: SetStreamOptions,
  ): Promise<boolean>;

  /**
   * Reads bytes as a stream, those of {@linkcode Cache.set} as well as those of
   * {@linkcode Cache.setStream}, from the first tier that has them; as a whole,
   * they are copied into the faster ones while they are read. Moves no faster
   * than it is read. Read to its end, or cancel it.
   *
   * Each chunk is checked before it is handed on: a stream that turns out to be
   * damaged fails with a {@linkcode CacheError}, is a miss the next time, and
   * what it gave before was right.
   *
   * A range of a compressed value is found by reading what comes before it,
   * without decoding that; of any other, at once.
   *
   * @returns `undefined` on a miss.
   * @throws {TypeError} when the value under the key is not bytes.
   * @throws {RangeError} when `offset` or `length` is negative or no integer.
   */
  getStream(
    key: string,
    options?: GetStreamOptions,
  ): Promise<ReadableStream<Uint8Array> | undefined>;

  /** Drops every entry of this namespace that was set with a tag. */
  deleteByTag(tag: string, options?: OperationOptions): Promise<void>;

  /**
   * Brings keys into the fastest tier before anybody asks for them: from the
   * slower tiers, from the source where that has values, and, where a loader is
   * given, from that. What is there already is left alone; what comes in is on
   * probation until it is used, and warming stops where the tiers are full
   * rather than drive out what is in use. Counts no hit and no miss.
   *
   * @param source a list, or anything that can be iterated over, also
   * asynchronously, of keys or of objects with a `key`; the keys of a slower
   * tier by a pattern; another cache; or the file of a snapshot. One that throws
   * half way ends warming with what came before.
   * @returns what was done and why it ended; also when the signal is aborted under way.
   * @throws {TypeError} for a source or option of a wrong type, or a tier that cannot list its keys.
   * @throws {RangeError} for a number out of range.
   * @throws the signal's reason, when it was aborted before.
   *
   * @example
   * ```ts
   * import { CacheManager } from "@strata/cache";
   *
   * await using cache = await CacheManager.open({ backends: [{ type: "memory", maxSizeMb: 64 }] });
   * const report = await cache.warm(["de", "fr", "xx"], {
   *   loader: (codes) => codes.map((code) => ({ de: "Berlin", fr: "Paris" })[code]),
   * });
   * console.assert(report.warmed === 2 && report.missing === 1);
   * console.assert(cache.peek("fr") === "Paris");
   * ```
   */
  warm<I extends WarmItem = string>(
    source: WarmSource<I>,
    options?: WarmOptions<I>,
  ): Promise<WarmReport>;

  /**
   * Reads from memory only, at once and without counting as a use. Fails when the cache is closed.
   *
   * @returns the value, or `undefined` when the memory tier does not have it.
   */
  peek<T = unknown>(key: string): T | undefined;

  /**
   * A cache of its own inside this one: the same tiers, other keys.
   *
   * @param name any string but the empty one.
   */
  namespace(name: string): Cache;
}
