/**
 * The contracts of Strata: what a backend, a serializer, a codec and an
 * eviction policy must do. Everything else in the library is built on these.
 *
 * @module
 */

import type { CacheEntry } from "./entry/entry.ts";
import type { Placement } from "./eviction/eviction_policy.ts";
import type { FrameReadOptions, StoredFrame, StreamedEntry } from "./stream_types.ts";

/** Options that every backend operation takes. */
export interface OperationOptions {
  /** Ends the operation: it rejects with the signal's reason, before or during I/O. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether the caller stops waiting by itself when the signal is aborted. Then
   * nothing is gained by rejecting early: the signal is for what can be called
   * off, and need not even be looked at by what cannot, which saves its making.
   */
  readonly isGuarded?: boolean | undefined;
}

/** How an entry is stored: its signal, and its place among others where the store evicts. */
export interface BackendSetOptions extends OperationOptions, Placement {}

/** Options of {@linkcode CacheBackend.clear}. */
export interface ClearOptions extends OperationOptions {
  /**
   * Tells which keys stay although they match: records of the library itself.
   * A store that several processes share should ask it; others need not.
   *
   * @default none
   */
  readonly keeps?: ((key: string) => boolean) | undefined;
}

/**
 * One tier's store. Keys are any string; no two keys may ever share a record.
 *
 * A miss is `undefined`. A damaged or foreign record is a miss that is told to
 * {@linkcode BackendContext.report}. A method rejects only when the store
 * itself fails, or with the signal's reason.
 *
 * Methods marked optional are capabilities: a backend has them only where its
 * store can do them well, and shared code asks for the method, never for a name.
 *
 * @example A backend over a `Map`
 * ```ts
 * import type { BackendStats, CacheBackend, CacheEntry } from "@strata/cache";
 * import { compileGlob } from "@strata/cache";
 *
 * class MapBackend implements CacheBackend {
 *   readonly name = "map";
 *   readonly #entries = new Map<string, CacheEntry>();
 *
 *   async get(key: string): Promise<CacheEntry | undefined> {
 *     const entry = this.#entries.get(key);
 *     return entry !== undefined && entry.expiresAt > Date.now() ? entry : undefined;
 *   }
 *   async set(key: string, entry: CacheEntry): Promise<boolean> {
 *     this.#entries.set(key, entry);
 *     return true;
 *   }
 *   async delete(key: string): Promise<boolean> {
 *     return this.#entries.delete(key);
 *   }
 *   async exists(key: string): Promise<boolean> {
 *     return await this.get(key) !== undefined;
 *   }
 *   async clear(pattern = "*"): Promise<number> {
 *     const matches = compileGlob(pattern);
 *     const doomed = [...this.#entries.keys()].filter(matches);
 *     for (const key of doomed) this.#entries.delete(key);
 *     return doomed.length;
 *   }
 *   async getStats(): Promise<BackendStats> {
 *     return { entries: this.#entries.size };
 *   }
 * }
 *
 * const backend: CacheBackend = new MapBackend();
 * console.assert(await backend.get("missing") === undefined);
 * ```
 */
export interface CacheBackend {
  /** Names the tier in statistics, events and errors. */
  readonly name: string;

  /**
   * Whether parts of the store fail apart from one another, as shards do: then
   * failures of some keys say nothing of the others. @default false
   */
  readonly failsInParts?: boolean;

  /**
   * Reads one entry.
   *
   * @returns the entry as it was set for exactly this key, or `undefined` when
   * there is none, it has expired, or its record is damaged.
   */
  get(key: string, options?: OperationOptions): Promise<CacheEntry | undefined>;

  /**
   * Stores one entry under its key, in place of any other.
   *
   * @returns `false` when the store declines it (too large for it); the key is
   * then a miss, never the older value.
   */
  set(key: string, entry: CacheEntry, options?: BackendSetOptions): Promise<boolean>;

  /** Removes one entry. @returns whether a live one was there. */
  delete(key: string, options?: OperationOptions): Promise<boolean>;

  /** Tells whether {@linkcode CacheBackend.get} would hit, without reading the value where it can. */
  exists(key: string, options?: OperationOptions): Promise<boolean>;

  /**
   * Removes every entry whose key matches a glob, or all entries of this
   * backend when no pattern is given.
   *
   * @param pattern as {@linkcode compileGlob} reads it.
   * @returns the number of live entries removed.
   */
  clear(pattern?: string, options?: ClearOptions): Promise<number>;

  /** Reports what the store holds. */
  getStats(): Promise<BackendStats>;

  /**
   * Reads without waiting, and counts as a use. Only for stores inside this
   * process, which keep live values and have done each write when its promise
   * is returned.
   */
  getSync?(key: string): CacheEntry | undefined;

  /** Reads without waiting and without counting as a use. Only for stores inside this process. */
  peek?(key: string): CacheEntry | undefined;

  /**
   * Reads at once, and counts as a use, where the store can without holding up
   * the event loop for longer than waiting would cost. Throws what `get` would
   * reject with.
   *
   * @returns what {@linkcode CacheBackend.get} would, or `"wait"` when that has to be asked.
   */
  readNow?(key: string): CacheEntry | undefined | "wait";

  /**
   * Reads many in one request; the result has the order and length of `keys`.
   * Where only a part of them could be read, the others are misses, and the
   * failure is told to {@linkcode BackendContext.report}.
   */
  getMany?(
    keys: readonly string[],
    options?: OperationOptions,
  ): Promise<(CacheEntry | undefined)[]>;

  /**
   * Stores many in one request; the result has the order and length of `entries`.
   *
   * @throws {CacheError} whose `keys` says for which it failed; without that, it may have for any.
   */
  setMany?(entries: readonly CacheEntry[], options?: BackendSetOptions): Promise<boolean[]>;

  /**
   * Removes many in one request.
   *
   * @returns how many live ones there were.
   * @throws {CacheError} whose `keys` says for which it failed; without that, it may have for any.
   */
  deleteMany?(keys: readonly string[], options?: OperationOptions): Promise<number>;

  /**
   * Stores entries of different keys, each unless the store holds a newer
   * version of its key or has deleted one. Compares and writes in one step, so
   * that the newest version wins in whatever order writes arrive; the same
   * version again is stored again. Only for stores that several processes share.
   *
   * @returns the outcomes in the order of `entries`.
   */
  setNewest?(
    entries: readonly CacheEntry[],
    options?: OperationOptions,
  ): Promise<VersionedOutcome[]>;

  /**
   * Removes what different keys hold unless it is newer than a version, and
   * remembers that for some minutes: until then
   * {@linkcode CacheBackend.setNewest} takes no version of them that is not
   * newer. Only for stores that several processes share.
   *
   * @returns how many live ones were removed.
   */
  deleteUpTo?(
    keys: readonly string[],
    version: number,
    options?: OperationOptions,
  ): Promise<number>;

  /**
   * Stores an entry whose frame comes as a stream, in place of any other. What
   * `set` has written is read by `getStream`, and what this has written by `get`.
   *
   * Nothing of it can be seen until the stream has closed; then it takes the
   * place of whatever the key has, unless the store knows of a newer version.
   * When the stream fails or ends with another length than it said, when the
   * signal is aborted or the backend closed, nothing is left of it, also not in
   * hiding, and what stood under the key stays.
   *
   * Reads as fast as it writes and holds a few MiB at most. A stream that is
   * not read to its end is cancelled. What is over already is not stored. A
   * frame of more than 256 MiB may be a miss to `get`, which then reports it.
   *
   * @returns `"declined"`, as soon as that is known, for an entry that is too
   * large for the store; the key is a miss then.
   * @throws what the stream fails with, or the signal's reason.
   */
  setStream?(
    key: string,
    entry: StreamedEntry,
    options?: OperationOptions,
  ): Promise<VersionedOutcome>;

  /**
   * Reads the frame of an entry, or a range of it, as a stream. What it gives
   * is of one write, however the key changes meanwhile: where the store cannot
   * hold on to that, the stream fails. It reads ahead a few MiB at most. The
   * signal ends the opening and the stream.
   *
   * @returns `undefined` when there is no live entry.
   */
  getStream?(key: string, options?: FrameReadOptions): Promise<StoredFrame | undefined>;

  /** Lists the keys of live entries that match a glob, in no particular order. */
  keys?(pattern?: string, options?: OperationOptions): AsyncIterable<string>;

  /** Resolves when everything acknowledged so far is durable. */
  flush?(): Promise<void>;

  /** Drains and frees what the backend holds. Safe to call twice. */
  close?(): Promise<void>;
}

export type { ByteRange, FrameReadOptions, StoredFrame, StreamedEntry } from "./stream_types.ts";

/**
 * What a versioned write did. `declined`: the entry is too large for the
 * store, the key a miss. `outdated`: a newer version, or the mark of a newer
 * delete, is there and stays.
 */
export type VersionedOutcome = "stored" | "declined" | "outdated";

/** What a backend's store holds; a field is absent where the store cannot tell cheaply. */
export interface BackendStats {
  /** Entries held, expired ones that are not yet removed included. */
  readonly entries?: number;
  /** Bytes held, as the limit counts them. */
  readonly bytes?: number;
  /** The limit on bytes, if there is one. */
  readonly maxBytes?: number;
  /** The limit on entries, if there is one. */
  readonly maxEntries?: number;
  /** Entries removed to stay within a limit, since open. */
  readonly evictions?: number;
  /** Entries removed because their time was over, since open. */
  readonly expirations?: number;
  /** Damaged or foreign records met, since open. */
  readonly corruptions?: number;
}

/** Something a backend met that is no failure of the call in which it met it. */
export interface BackendReport {
  /**
   * `corrupt`: a damaged or foreign record became a miss.
   * `error`: something in the background failed.
   * `evict`: entries left to stay within a limit.
   */
  readonly kind: "corrupt" | "error" | "evict";
  /** The key concerned, where it is known. */
  readonly key?: string | undefined;
  /** How many entries are concerned. @default 1 */
  readonly count?: number | undefined;
  /** What went wrong. */
  readonly error?: unknown;
}

/** What the manager gives to a backend's factory. */
export interface BackendContext {
  /** The one source of time. */
  readonly clock: Clock;
  /** Takes what the backend wants to tell; never throws. */
  readonly report: (report: BackendReport) => void;
}

/** Makes a backend from its config object; throws TypeError or RangeError for a bad one. */
export type BackendFactory = (
  config: Readonly<Record<string, unknown>>,
  context: BackendContext,
) => CacheBackend | Promise<CacheBackend>;

/** The one source of time; tests give their own. */
export interface Clock {
  /** Now, in epoch milliseconds. */
  now(): number;
  /** Now or up to a millisecond ago, in epoch milliseconds; much cheaper than {@linkcode Clock.now}. */
  recent(): number;
  /**
   * Calls back once, later.
   *
   * @param delay in milliseconds.
   * @param keepsAlive whether the process waits for it at its end. @default false
   * @returns a function that calls it off.
   */
  schedule(callback: () => void, delay: number, keepsAlive?: boolean): () => void;
}

/** Turns values into bytes and back. */
export interface Serializer {
  /** Its name in configs. */
  readonly name: string;
  /** Its number in frames: 1 to 127 are Strata's, 128 to 255 yours. */
  readonly id: number;
  /**
   * Makes bytes of a value.
   *
   * @throws {TypeError} naming the path inside the value, when the format
   * cannot bring it back as it is.
   */
  encode(value: unknown): Uint8Array;
  /**
   * Brings the value back. The bytes are not kept and not changed.
   *
   * @throws when the bytes are not of this format.
   */
  decode(bytes: Uint8Array): unknown;
}

/** Options of {@linkcode Codec.decode}. */
export interface DecodeOptions {
  /** The exact number of bytes that must come out. */
  readonly length: number;
}

/** Makes bytes smaller and restores them. */
export interface Codec {
  /** Its name in configs. */
  readonly name: string;
  /** Its number in frames: 1 to 127 are Strata's, 128 to 255 yours. */
  readonly id: number;
  /** Compresses. The input is not kept and not changed; the result is the caller's. */
  encode(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /**
   * Restores exactly `options.length` bytes into a buffer of their own, whose
   * `byteOffset` is a multiple of 8. What claims or yields another length is
   * refused before more than that is allocated.
   *
   * @throws {CacheError} `"decoded-size"` for a wrong length, `"corrupt"` for bytes that are not of this codec.
   */
  decode(bytes: Uint8Array, options: DecodeOptions): Uint8Array | Promise<Uint8Array>;
}
