/**
 * A tier in a directory of the local disk: it survives restarts, and several
 * processes may share it.
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

import { homedir } from "node:os";
import { resolve } from "node:path";
import { ConfigReader, show } from "../src/config.ts";
import type { CacheEntry } from "../src/entry/entry.ts";
import { CacheError } from "../src/errors.ts";
import { createEvictionPolicy, evictionPolicyNames } from "../src/eviction/policies.ts";
import { compileGlob } from "../src/glob.ts";
import type { BackendContext, BackendStats, CacheBackend, OperationOptions } from "../src/types.ts";
import { type Disk, errnoOf, nodeDisk } from "./filesystem/disk.ts";
import { FileStore } from "./filesystem/file_store.ts";

/** Config of a filesystem backend. */
export interface FilesystemConfig {
  /** `"filesystem"`, for the registry. */
  readonly type?: "filesystem" | undefined;
  /** Names the tier. @default "filesystem" */
  readonly name?: string | undefined;
  /** The directory; `~` at its start is the home directory. Made when it is not there. */
  readonly basePath: string;
  /** The limit in MiB, of files and folders as `du` counts them; `Infinity` for none. @default 1024 */
  readonly maxSizeMb?: number | undefined;
  /** The limit in bytes, or as a string such as `"500MB"`, instead of `maxSizeMb`. At least 64 KiB. */
  readonly maxBytes?: number | string | undefined;
  /** The most entries. @default Infinity */
  readonly maxEntries?: number | undefined;
  /** Which entry leaves when a limit is reached. @default "lru" */
  readonly evictionPolicy?: "lru" | "fifo" | "lfu" | "s3-fifo" | undefined;
  /**
   * What a resolved `set` means if the machine loses power: with `"segment"`
   * and `"batch"` the entry is on the disk, with `"none"` only after `flush()`.
   * A process that is killed loses nothing either way. @default "none"
   */
  readonly durability?: "none" | "segment" | "batch" | undefined;
}

const SUBJECT = "Cannot open filesystem backend";
const FIELDS = [
  "type",
  "name",
  "basePath",
  "maxSizeMb",
  "maxBytes",
  "maxEntries",
  "evictionPolicy",
  "durability",
] as const;
const DURABILITIES = ["none", "segment", "batch"] as const;

/** A disk without a limit fills up. */
const DEFAULT_MAX_BYTES = 1024 * 1024 * 1024;

/** Folders alone take 12 KiB, an entry in a shard of its own 12 KiB more. */
const MIN_MAX_BYTES = 64 * 1024;

/** Opens a filesystem backend, as {@linkcode FilesystemBackend.open} does. */
export function createFilesystemBackend(
  config: Readonly<Record<string, unknown>>,
  context: BackendContext,
): Promise<FilesystemBackend> {
  return FilesystemBackend.open(config, context);
}

/** Keeps entries as files below one directory. */
export class FilesystemBackend implements CacheBackend {
  /** Names the tier in statistics, events and errors. */
  readonly name: string;
  readonly #store: FileStore;
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  private constructor(name: string, store: FileStore) {
    this.name = name;
    this.#store = store;
  }

  /**
   * Opens the directory. What is in it is learned in the background.
   *
   * @param config as {@linkcode FilesystemConfig} says.
   * @param context clock and listener.
   * @param disk the file system's calls, for tests.
   * @throws {TypeError} when a field is unknown or of a wrong type.
   * @throws {RangeError} when a number is out of range.
   * @throws {CacheError} `"unavailable"` when the directory cannot be made or written.
   */
  static async open(
    config: Readonly<Record<string, unknown>> | FilesystemConfig,
    context: BackendContext,
    disk: Disk = nodeDisk,
  ): Promise<FilesystemBackend> {
    const { name, base, limits, policy, sync } = readConfig(config);
    try {
      return new FilesystemBackend(
        name,
        await FileStore.open({ base, limits, policy, sync }, context, disk),
      );
    } catch (cause) {
      throw new CacheError(
        "unavailable",
        `${SUBJECT}: directory "${base}" cannot be written (${errnoOf(cause) ?? cause}): ${
          remedyFor(cause)
        }`,
        { backend: name, cause },
      );
    }
  }

  /** Reads an entry. */
  get(key: string, options?: OperationOptions): Promise<CacheEntry | undefined> {
    return this.#run("read", key, options, (signal) => this.#store.get(key, signal));
  }

  /** Stores an entry. @returns false when it is larger than the limit. */
  set(key: string, entry: CacheEntry, options?: OperationOptions): Promise<boolean> {
    return this.#run("write", key, options, (signal) => this.#store.set(key, entry, signal));
  }

  /** Removes an entry. @returns whether a live one was there. */
  delete(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#run("delete", key, options, (signal) => this.#store.delete(key, signal));
  }

  /** Tells by the header of its file whether an entry is there. */
  exists(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#run("look up", key, options, (signal) => this.#store.exists(key, signal));
  }

  /** Removes the entries that match a glob, or all. Files that are not Strata's stay. */
  clear(pattern?: string, options?: OperationOptions): Promise<number> {
    const matches = pattern === undefined ? undefined : compileGlob(pattern);
    return this.#run("clear", undefined, options, (signal) => this.#store.clear(matches, signal));
  }

  /** Lists the keys of live entries that match a glob; reads headers, not values. */
  async *keys(pattern = "*", options?: OperationOptions): AsyncIterable<string> {
    const keys = this.#store.keys(compileGlob(pattern), options?.signal);
    for (;;) {
      const next = await this.#run("list", undefined, options, () => keys.next());
      if (next.done) return;
      yield next.value;
    }
  }

  /** Reports what the directory holds; waits for the first look at it. */
  getStats(): Promise<BackendStats> {
    return this.#run("look at", undefined, undefined, () => this.#store.stats());
  }

  /** Sees at once what other processes did, and removes what is over. */
  refresh(): Promise<void> {
    return this.#run("refresh", undefined, undefined, () => this.#store.refresh());
  }

  /** Resolves when everything acknowledged so far is on the disk. */
  flush(): Promise<void> {
    return this.#run("flush", undefined, undefined, () => this.#store.flush());
  }

  /** Waits for what was begun, and ends what runs in the background. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#running).then(() => this.#store.close());
    return this.#closing;
  }

  /** Checks, counts as running, gives up with the signal, and says what failed. */
  async #run<T>(
    action: string,
    key: string | undefined,
    options: OperationOptions | undefined,
    operate: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    const signal = options?.signal;
    signal?.throwIfAborted();
    if (this.#closing !== undefined) {
      throw new CacheError("closed", `Cannot ${action}: ${this.name} is closed`, {
        backend: this.name,
        key,
      });
    }
    const operation = operate(signal);
    this.#running.add(operation);
    const done = (): void => void this.#running.delete(operation);
    operation.then(done, done);
    try {
      return await (signal === undefined ? operation : untilAborted(operation, signal));
    } catch (error) {
      if (signal?.aborted && error === signal.reason) throw error;
      const code = errnoOf(error);
      if (code === undefined) throw error;
      throw new CacheError("backend", `Cannot ${action}: the disk says ${code}`, {
        backend: this.name,
        key,
        cause: error,
      });
    }
  }
}

function readConfig(config: unknown) {
  const reader = new ConfigReader(SUBJECT, config, FIELDS);
  const basePath = reader.string("basePath");
  if (basePath === undefined) {
    throw new TypeError(`${SUBJECT}: 'basePath' must be given: it is the directory for its files`);
  }
  if (basePath.includes("\0") || /^file:\/\//i.test(basePath)) {
    throw new TypeError(
      `${SUBJECT}: 'basePath' must be a path of the file system: current value is ${
        show(basePath)
      }`,
    );
  }
  const policyName = reader.oneOf("evictionPolicy", evictionPolicyNames) ?? "lru";
  const durability = reader.oneOf("durability", DURABILITIES) ?? "none";
  const limits = {
    maxBytes: reader.maxBytes() ?? DEFAULT_MAX_BYTES,
    maxEntries: reader.integer("maxEntries", { min: 1 }) ?? Infinity,
  };
  if (limits.maxBytes < MIN_MAX_BYTES) {
    throw new RangeError(
      `${SUBJECT}: limit must be at least ${MIN_MAX_BYTES} bytes: current value is ${limits.maxBytes}`,
    );
  }
  return {
    name: reader.string("name") ?? "filesystem",
    base: expand(basePath),
    limits,
    policy: limits.maxBytes === Infinity && limits.maxEntries === Infinity
      ? undefined
      : createEvictionPolicy(policyName, {
        maxWeight: limits.maxBytes,
        maxEntries: limits.maxEntries,
      }),
    sync: durability !== "none",
  };
}

function expand(basePath: string): string {
  if (basePath === "~") return homedir();
  const inHome = basePath.startsWith("~/") || basePath.startsWith("~\\");
  return inHome ? resolve(homedir(), basePath.slice(2)) : resolve(basePath);
}

function remedyFor(cause: unknown): string {
  const code = errnoOf(cause);
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
