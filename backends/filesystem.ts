/**
 * A tier in a directory of the local disk: it survives restarts, and several
 * processes may share it. Small values are in a log, large ones in files of
 * their own.
 *
 * @module
 *
 * @example
 * ```ts
 * import { tmpdir } from "node:os";
 * import { CacheManager } from "@strata/cache";
 *
 * await using cache = await CacheManager.open({
 *   backends: [{ type: "filesystem", basePath: `${tmpdir()}/my-app`, maxSizeMb: 500 }],
 * });
 * await cache.set("key", { any: "value" }, { ttl: "7d" });
 * console.assert(await cache.exists("key"));
 * ```
 */

import type { CacheEntry } from "../src/entry/entry.ts";
import { CacheError } from "../src/errors.ts";
import type { LockProvider, LockProviderSource } from "../src/coordination/lock_provider.ts";
import { compileGlob } from "../src/glob.ts";
import type { MaybePromise } from "../src/maybe_promise.ts";
import type {
  BackendContext,
  BackendSetOptions,
  BackendStats,
  CacheBackend,
  FrameReadOptions,
  OperationOptions,
  StoredFrame,
  StreamedEntry,
  VersionedOutcome,
} from "../src/types.ts";
import {
  type CheckedConfig,
  type FilesystemConfig,
  readConfig,
  SUBJECT,
} from "./filesystem/config.ts";
import { type Disk, errnoOf, nodeDisk } from "./filesystem/disk.ts";
import { FileLocks } from "./filesystem/locks/file_locks.ts";
import { Store } from "./filesystem/store.ts";

export type { FilesystemConfig } from "./filesystem/config.ts";

/** What a {@linkcode FilesystemBackend} holds and has done since open. */
export interface FilesystemStats extends BackendStats {
  /** Entries that a `get` may return, and those that are over and were not met yet. */
  readonly entries: number;
  /** Bytes of live entries: of their records, and of their files as `du` counts them. */
  readonly bytes: number;
  /**
   * Bytes that all files of all processes take at most, as `du` counts them:
   * what is compared with the limit. The segment that is being written counts
   * in full.
   */
  readonly diskBytes: number;
  /** Entries removed to stay within a limit. */
  readonly evictions: number;
  /** Entries removed because their time was over. */
  readonly expirations: number;
  /** Damaged or foreign records met. */
  readonly corruptions: number;
  /** Segment files, of all processes. */
  readonly segments: number;
  /** Bytes of memory that the index takes. */
  readonly indexBytes: number;
  /** Bytes of records that wait to be written. */
  readonly queuedBytes: number;
  /** Bytes of records written for each byte of records that was set: 1 and what was carried over to free segments. */
  readonly writeAmplification: number;
  /**
   * How the disk is taken to be: `"healthy"`; `"degraded"`, when writes fail
   * and are tried again later; `"off"`, when reads are misses as well.
   */
  readonly health: "healthy" | "degraded" | "off";
  /** Whether values in the log are read asynchronously right now. */
  readonly isAsync: boolean;
}

/** Opens a filesystem backend, as {@linkcode FilesystemBackend.open} does. */
export function createFilesystemBackend(
  config: Readonly<Record<string, unknown>>,
  context: BackendContext,
): Promise<FilesystemBackend> {
  return FilesystemBackend.open(config, context);
}

/** Keeps entries below one directory of the local disk. */
export class FilesystemBackend implements CacheBackend, LockProviderSource {
  /** Names the tier in statistics, events and errors. */
  readonly name: string;
  readonly #store: Store;
  readonly #config: CheckedConfig;
  readonly #running = new Set<Promise<unknown>>();
  readonly #closed = new AbortController();
  #closing: Promise<void> | undefined;

  private constructor(config: CheckedConfig, store: Store) {
    this.name = config.name;
    this.#config = config;
    this.#store = store;
  }

  /**
   * Opens the directory.
   *
   * @param config as {@linkcode FilesystemConfig} says.
   * @param context clock and listener.
   * @param disk the calls for files of large values, for tests.
   * @throws {TypeError} when a field is unknown or of a wrong type.
   * @throws {RangeError} when a number is out of range.
   * @throws {CacheError} `"unavailable"` when the directory cannot be made or written.
   */
  static async open(
    config: Readonly<Record<string, unknown>> | FilesystemConfig,
    context: BackendContext,
    disk: Disk = nodeDisk,
  ): Promise<FilesystemBackend> {
    const checked = readConfig(config);
    const { base, name } = checked;
    try {
      return new FilesystemBackend(checked, await Store.open(checked, context, disk));
    } catch (cause) {
      const code = errnoOfAny(cause);
      throw new CacheError(
        "unavailable",
        `${SUBJECT}: directory "${base}" cannot be written (${code ?? cause}): ${remedyFor(code)}`,
        { backend: name, cause },
      );
    }
  }

  /** Reads an entry. Never rejects because of the disk: what cannot be read is a miss. */
  get(key: string, options?: OperationOptions): Promise<CacheEntry | undefined> {
    const signal = options?.signal;
    if (this.#closing !== undefined || signal?.aborted) return this.#refuse("read", key, signal);
    const found = this.#store.get(key);
    return found instanceof Promise
      ? this.#wait("read", key, signal, found)
      : Promise.resolve(found);
  }

  /** Reads an entry at once when it is in the log and the disk is quick, `"wait"` when not. */
  readNow(key: string): CacheEntry | undefined | "wait" {
    if (this.#closing !== undefined) throw this.#closedFor("read", key);
    return this.#store.readNow(key);
  }

  /** Reads many entries, neighbours on the disk at once. */
  getMany(
    keys: readonly string[],
    options?: OperationOptions,
  ): Promise<(CacheEntry | undefined)[]> {
    return this.#run("read", undefined, options, () => this.#store.getMany(keys));
  }

  /** Stores an entry. @returns false when it is larger than the limit. */
  set(key: string, entry: CacheEntry, options?: BackendSetOptions): Promise<boolean> {
    return this.#run("write", key, options, () => this.#store.set(key, entry, options));
  }

  /** Stores many entries in as few writes as they fit into. */
  setMany(entries: readonly CacheEntry[], options?: BackendSetOptions): Promise<boolean[]> {
    return this.#run(
      "write",
      undefined,
      options,
      () => all(entries, (entry) => this.#store.set(entry.key, entry, options)),
    );
  }

  /** Stores an entry from a stream, in a file of its own unless it turns out to be small. */
  async setStream(
    key: string,
    entry: StreamedEntry,
    options?: OperationOptions,
  ): Promise<VersionedOutcome> {
    const { signal } = options ?? {};
    if (signal?.aborted) entry.frame.cancel(signal.reason).catch(() => {});
    signal?.throwIfAborted();
    // Not given up with the signal: it ends the stream, and then nothing is left.
    const outcome = await this.#run(
      "write",
      key,
      undefined,
      () => this.#store.streams.set(key, entry, this.#until(signal)),
    );
    if (typeof outcome === "object") throw outcome.reason;
    return outcome;
  }

  /** Reads the frame of an entry, or a range of it, as a stream. */
  getStream(key: string, options?: FrameReadOptions): Promise<StoredFrame | undefined> {
    return this.#run(
      "read",
      key,
      options,
      () => this.#store.streams.get(key, options?.range, this.#until(options?.signal)),
    );
  }

  /** Removes an entry. @returns whether a live one was there. */
  delete(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#run("delete", key, options, () => this.#store.delete(key));
  }

  /** Removes many entries in one write. @returns how many live ones there were. */
  deleteMany(keys: readonly string[], options?: OperationOptions): Promise<number> {
    return this.#run(
      "delete",
      undefined,
      options,
      async () => (await all(keys, (key) => this.#store.delete(key))).filter(Boolean).length,
    );
  }

  /** Tells whether an entry is there, without reading anything. */
  exists(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#run("look up", key, options, () => this.#store.has(key));
  }

  /** Removes the entries that match a glob, or all. Files that are not Strata's stay. */
  clear(pattern?: string, options?: OperationOptions): Promise<number> {
    const matches = pattern === undefined ? undefined : compileGlob(pattern);
    return this.#run("clear", undefined, options, () => this.#store.clear(matches));
  }

  /** Lists the keys of live entries that match a glob; reads keys, not values. */
  async *keys(pattern = "*", options?: OperationOptions): AsyncIterable<string> {
    const keys = this.#store.keys(compileGlob(pattern));
    for (;;) {
      const next = await this.#run("list", undefined, options, () => keys.next());
      if (next.done) return;
      yield next.value;
    }
  }

  /** Reports what the directory holds. */
  getStats(): Promise<FilesystemStats> {
    return this.#run("look at", undefined, undefined, () => {
      const { maxBytes, maxEntries } = this.#config;
      const { liveBytes, segmentsReclaimed: _, ...stats } = this.#store.stats();
      return {
        ...stats,
        bytes: liveBytes,
        ...(maxBytes !== Infinity && { maxBytes }),
        ...(maxEntries !== Infinity && { maxEntries }),
      };
    });
  }

  /** Sees at once what other processes did. */
  refresh(): Promise<void> {
    return this.#run("refresh", undefined, undefined, () => this.#store.refresh());
  }

  /** Resolves when everything acknowledged so far is written and, unless `durability` is `"none"`, on the disk. */
  flush(): Promise<void> {
    return this.#run("flush", undefined, undefined, () => this.#store.flush());
  }

  /**
   * Makes a provider of locks among the processes of this machine that have
   * the directory open. A lock ends with its lease, or at once when the process
   * that holds it is dead; fencing numbers grow as long as the directory is there.
   */
  createLockProvider(): LockProvider {
    if (this.#closing !== undefined) throw this.#closedFor("lock");
    return new FileLocks({
      name: this.name,
      host: this.#store.lockHost,
      run: (options, operate) => this.#run("lock", undefined, options, operate),
    });
  }

  /** Waits for what was begun, writes what waits, and ends what runs in the background. Safe to call twice. */
  close(): Promise<void> {
    if (this.#closing === undefined) this.#closed.abort(this.#closedFor("go on with"));
    this.#closing ??= Promise.allSettled(this.#running).then(() => this.#store.close());
    return this.#closing;
  }

  /** Ends a stream with its caller's signal, and when the backend is closed. */
  #until(signal: AbortSignal | undefined): AbortSignal {
    const closed = this.#closed.signal;
    return signal === undefined ? closed : AbortSignal.any([signal, closed]);
  }

  #run<T>(
    action: string,
    key: string | undefined,
    options: OperationOptions | undefined,
    operate: () => MaybePromise<T>,
  ): Promise<T> {
    const signal = options?.signal;
    if (this.#closing !== undefined || signal?.aborted) return this.#refuse(action, key, signal);
    try {
      const result = operate();
      return result instanceof Promise
        ? this.#wait(action, key, signal, result)
        : Promise.resolve(result);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Counts as running, gives up with the signal, and says what failed. */
  #wait<T>(
    action: string,
    key: string | undefined,
    signal: AbortSignal | undefined,
    operation: Promise<T>,
  ): Promise<T> {
    this.#running.add(operation);
    const told = operation.then((result) => {
      this.#running.delete(operation);
      return result;
    }, (error: unknown) => {
      this.#running.delete(operation);
      throw this.#failure(action, key, error);
    });
    return signal === undefined ? told : untilAborted(told, signal);
  }

  #failure(action: string, key: string | undefined, cause: unknown): unknown {
    const code = errnoOf(cause);
    return code === undefined || cause instanceof CacheError
      ? cause
      : new CacheError("backend", `Cannot ${action}: the disk says ${code}`, {
        backend: this.name,
        key,
        cause,
      });
  }

  #refuse(
    action: string,
    key: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<never> {
    return Promise.reject(signal?.aborted ? signal.reason : this.#closedFor(action, key));
  }

  #closedFor(action: string, key?: string): CacheError {
    return new CacheError("closed", `Cannot ${action}: ${this.name} is closed`, {
      backend: this.name,
      key,
    });
  }
}

/** Begins all, then waits for those that need it. */
function all<T, R>(
  items: readonly T[],
  operate: (item: T) => MaybePromise<R>,
): MaybePromise<R[]> {
  const results = items.map((item) => {
    try {
      return operate(item);
    } catch (error) {
      return Promise.reject<R>(error);
    }
  });
  return results.some((result) => result instanceof Promise)
    ? Promise.all(results)
    : results as R[];
}

/** The system's name of an error, or of the one behind it. */
function errnoOfAny(error: unknown): string | undefined {
  return errnoOf(error instanceof CacheError ? error.cause : error);
}

function remedyFor(code: string | undefined): string {
  if (code === "EEXIST" || code === "ENOTDIR") {
    return "a file is in the way: give another 'basePath'";
  }
  if (code === "ENOSPC" || code === "EDQUOT") return "the disk is full: free some of it";
  return "make it writable or give another 'basePath'";
}

/** Ends with the signal, whatever the operation does. */
function untilAborted<T>(operation: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  operation.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  return promise;
}
