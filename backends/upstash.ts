/**
 * A tier in Upstash Redis, over its REST API: for functions and workers that
 * keep no connections.
 *
 * @module
 *
 * @example
 * ```ts ignore
 * import { CacheManager } from "@strata/cache";
 *
 * await using cache = await CacheManager.open({
 *   backends: [
 *     { type: "memory", maxSizeMb: 16 },
 *     { type: "upstash", url: "https://name.upstash.io", token: "a-token", prefix: "app" },
 *   ],
 * });
 * await cache.set("key", { any: "value" }, { ttl: "1h" });
 * ```
 */

import { show } from "../src/config.ts";
import type {
  InvalidationBus,
  InvalidationBusSource,
} from "../src/coordination/invalidation_bus.ts";
import type { LockProvider, LockProviderSource } from "../src/coordination/lock_provider.ts";
import type { CacheEntry } from "../src/entry/entry.ts";
import { CacheError, isCacheError } from "../src/errors.ts";
import type { MaybePromise } from "../src/maybe_promise.ts";
import type {
  BackendContext,
  BackendStats,
  CacheBackend,
  ClearOptions,
  FrameReadOptions,
  OperationOptions,
  StoredFrame,
  StreamedEntry,
  VersionedOutcome,
} from "../src/types.ts";
import type { Random } from "./_back_off.ts";
import { batches } from "./_batches.ts";
import { FrameReader } from "./_frames.ts";
import type { ChunkedStreams } from "./_chunked_streams.ts";
import { Running } from "./_running.ts";
import { clearEntries, type EntryScan, liveKeys } from "./_scan_entries.ts";
import { isReference } from "./_stream_reference.ts";
import { ScriptLocks } from "./_script_locks.ts";
import { STANDALONE_CONTEXT } from "./_standalone_context.ts";
import type { VersionedWrites } from "./_versioned_writes.ts";
import { bytesOfReply } from "./upstash/base64.ts";
import { UpstashBus } from "./upstash/upstash_bus.ts";
import { createUpstashClient } from "./upstash/upstash_client.ts";
import {
  readUpstashConfig,
  type UpstashConfig,
  type UpstashSettings,
} from "./upstash/upstash_config.ts";
import { UpstashPipe } from "./upstash/upstash_pipe.ts";
import { UpstashRecords } from "./upstash/upstash_records.ts";
import { type CallOptions, UpstashStore } from "./upstash/upstash_store.ts";
import { upstashStreams } from "./upstash/upstash_streams.ts";
import { upstashVersionedWrites } from "./upstash/upstash_versioned_writes.ts";
import * as commands from "./upstash/commands.ts";

export type {
  UpstashClientLike,
  UpstashConfig,
  UpstashPipelineLike,
} from "./upstash/upstash_config.ts";

/**
 * Opens an Upstash backend. Nothing is sent before the first operation.
 *
 * @param config as {@linkcode UpstashConfig} says.
 * @param context clock and listener.
 * @throws {TypeError} when a field is unknown or of a wrong type.
 * @throws {RangeError} when a number is out of range.
 */
export function createUpstashBackend(
  config: Readonly<Record<string, unknown>>,
  context: BackendContext,
): UpstashBackend {
  return new UpstashBackend(config, context);
}

/**
 * Keeps frames as base64 in Upstash, each with its own expiry. What is asked
 * for in one turn travels in one request.
 */
export class UpstashBackend implements CacheBackend, InvalidationBusSource, LockProviderSource {
  /** Names the tier in statistics, events and errors. */
  readonly name: string;
  readonly #context: BackendContext;
  readonly #random: Random;
  readonly #settings: UpstashSettings;
  readonly #store: UpstashStore;
  readonly #frames: FrameReader;
  readonly #records: UpstashRecords;
  readonly #versioned: VersionedWrites<CallOptions>;
  readonly #streams: ChunkedStreams;
  readonly #running: Running;
  #closing: Promise<void> | undefined;

  /**
   * Creates a backend, without sending anything.
   *
   * @param config where the database is, and limits.
   * @param context clock and listener; the system's clock and none when it is not given.
   * @param random spreads attempts to connect; from 0 up to 1.
   * @throws {TypeError} when a field is unknown or of a wrong type.
   * @throws {RangeError} when a number is out of range.
   */
  constructor(
    config: Readonly<Record<string, unknown>> | UpstashConfig,
    context: BackendContext = STANDALONE_CONTEXT,
    random: Random = Math.random,
  ) {
    const settings = readUpstashConfig(config as Readonly<Record<string, unknown>>);
    const { name, client, address } = settings;
    this.name = name;
    this.#context = context;
    this.#random = random;
    this.#settings = settings;
    this.#frames = new FrameReader(name, context);
    this.#running = new Running(name);
    const pipe = new UpstashPipe({
      ...settings,
      backend: name,
      clock: context.clock,
      ...(client === undefined
        ? createUpstashClient(address as { url: string; token: string })
        : { client, aim: () => {} }),
    });
    this.#store = new UpstashStore(name, pipe);
    const parts = { store: this.#store, settings, frames: this.#frames, clock: context.clock };
    this.#records = new UpstashRecords(parts);
    this.#versioned = upstashVersionedWrites(parts);
    this.#streams = upstashStreams({
      ...parts,
      versioned: this.#versioned,
      run: (options, operate) => this.#running.run(options, operate),
    });
  }

  /** Reads one entry. */
  get(key: string, options?: OperationOptions): Promise<CacheEntry | undefined> {
    return this.#running.run(options, async () => {
      const stored = this.#settings.names.entry(key);
      const call = this.#call("read from", options, key);
      try {
        const [reply] = await this.#store.send([commands.get(stored)], call);
        return await this.#entry(key, reply, options);
      } catch (error) {
        if (!isCacheError(error, "corrupt")) throw error;
        this.#frames.corrupt(key, error);
        return undefined;
      }
    });
  }

  /**
   * Stores one entry; the database drops it when it may not even be served stale any more.
   *
   * @returns `false` when it does not fit into a request.
   */
  async set(key: string, entry: CacheEntry, options?: OperationOptions): Promise<boolean> {
    if (entry.key !== key) {
      throw new TypeError(`Cannot set ${show(key)}: entry is of key ${show(entry.key)}`);
    }
    const call = this.#call("write to", options, key);
    const [isStored] = await this.#running.run(options, () => this.#records.write([entry], call));
    return isStored === true;
  }

  /** Removes one entry. */
  delete(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#running.run(options, async () => {
      const call = this.#call("delete from", options, key);
      return await this.#records.remove([this.#settings.names.entry(key)], call) === 1;
    });
  }

  /** Tells whether a read would hit, by the header alone. */
  exists(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#running.run(options, async () => {
      const call = this.#call("read from", options, key);
      const [isLive] = await this.#records.liveness([this.#settings.names.entry(key)], call);
      return isLive === true;
    });
  }

  /** Removes the entries whose keys match a glob, or all of this prefix. */
  clear(pattern?: string, options?: ClearOptions): Promise<number> {
    return this.#running.run(options, async () => {
      const call = this.#call("clear", options);
      return await clearEntries(
        { ...this.#scan(pattern, call), keeps: options?.keeps },
        (stored) => this.#records.remove(stored, call),
      );
    });
  }

  /** Reads many in one request, by five hundred keys. */
  getMany(
    keys: readonly string[],
    options?: OperationOptions,
  ): Promise<(CacheEntry | undefined)[]> {
    return this.#running.run(options, async () => {
      const call = this.#call("read from", options);
      const entries: (CacheEntry | undefined)[] = [];
      for (const batch of batches(keys, commands.BATCH_KEYS)) {
        const stored = batch.map((key) => this.#settings.names.entry(key));
        const [reply] = await this.#store.send([commands.getAll(stored)], call);
        const values = Array.isArray(reply) ? reply : [];
        for (const [at, key] of batch.entries()) {
          entries.push(await this.#entry(key, values[at], options));
        }
      }
      return entries;
    });
  }

  /** Stores an entry whose frame comes as a stream: in chunks, which the server drops when nothing comes of them. */
  setStream(
    key: string,
    entry: StreamedEntry,
    options?: OperationOptions,
  ): Promise<VersionedOutcome> {
    return this.#streams.set(key, entry, options);
  }

  /** Reads the frame of an entry, or a range of it, as a stream, which fails when the key changes meanwhile. */
  getStream(key: string, options?: FrameReadOptions): Promise<StoredFrame | undefined> {
    return this.#streams.get(key, options);
  }

  /** Stores many, in as few requests as their size allows. */
  setMany(entries: readonly CacheEntry[], options?: OperationOptions): Promise<boolean[]> {
    const call = this.#call("write to", options);
    return this.#running.run(options, () => this.#records.write(entries, call));
  }

  /** Removes many in one request, by five hundred keys. */
  deleteMany(keys: readonly string[], options?: OperationOptions): Promise<number> {
    return this.#running.run(options, async () => {
      const call = this.#call("delete from", options);
      const stored = [...new Set(keys)].map((key) => this.#settings.names.entry(key));
      return await this.#records.remove(stored, call);
    });
  }

  /** Stores what is newer than what is there, in as few requests as its size allows. */
  setNewest(
    entries: readonly CacheEntry[],
    options?: OperationOptions,
  ): Promise<VersionedOutcome[]> {
    return this.#running.run(
      options,
      () => this.#versioned.setNewest(entries, this.#call("write to", options)),
    );
  }

  /** Removes what is not newer, many in one request, and leaves marks for five minutes. */
  deleteUpTo(
    keys: readonly string[],
    version: number,
    options?: OperationOptions,
  ): Promise<number> {
    return this.#running.run(
      options,
      () => this.#versioned.deleteUpTo(keys, version, this.#call("delete from", options)),
    );
  }

  /** Lists the keys of live entries that match a glob. Entries may come and go meanwhile. */
  async *keys(pattern?: string, options?: OperationOptions): AsyncGenerator<string> {
    this.#running.begin(options);
    const call = this.#call("list keys of", options);
    const scan = this.#scan(pattern, call);
    for await (const key of liveKeys(scan, (stored) => this.#records.liveness(stored, call))) {
      yield key;
      this.#running.begin(options);
    }
  }

  /** Reports what is known here; the database counts all prefixes together. */
  // deno-lint-ignore require-await -- rejects instead of throwing
  async getStats(): Promise<BackendStats> {
    this.#running.begin(undefined);
    return { corruptions: this.#frames.corruptions };
  }

  /**
   * Makes a bus over the same database.
   *
   * @throws {TypeError} when there is a client, but no `url` and `token`.
   */
  createInvalidationBus(): InvalidationBus {
    this.#running.begin(undefined);
    const { name, names, address } = this.#settings;
    if (address === undefined) {
      throw new TypeError("Cannot open bus: it needs 'url' and 'token' besides 'client'");
    }
    return new UpstashBus({
      name,
      address,
      channel: names.channel,
      context: this.#context,
      random: this.#random,
      sender: crypto.randomUUID(),
      send: (message, options) =>
        this.#running.run(options, () =>
          this.#store.send(
            [commands.publish(names.channel, message)],
            this.#call("publish to", options),
          )),
    });
  }

  /** Makes a provider of locks over the same database. */
  createLockProvider(): LockProvider {
    this.#running.begin(undefined);
    return new ScriptLocks(
      this.name,
      this.#settings.names,
      (script, keys, args, options) =>
        this.#running.run(options, async () => {
          const command = commands.evaluate(script, keys, args);
          const [reply] = await this.#store.send([command], this.#call("lock in", options));
          return reply;
        }),
    );
  }

  /** Waits up to five seconds for what is under way. */
  close(): Promise<void> {
    this.#streams.close();
    this.#closing ??= this.#running.close(this.#context.clock);
    return this.#closing;
  }

  #call(verb: string, options: OperationOptions | undefined, key?: string): CallOptions {
    return { action: `Cannot ${verb} Upstash`, key, signal: options?.signal };
  }

  #scan(pattern: string | undefined, call: CallOptions): EntryScan {
    const { names } = this.#settings;
    return { names, pattern, pages: (match) => this.#store.scan(match, call) };
  }

  #entry(
    key: string,
    reply: unknown,
    options: OperationOptions | undefined,
  ): MaybePromise<CacheEntry | undefined> {
    if (reply === null || reply === undefined) return undefined;
    const bytes = bytesOfReply(reply);
    if (bytes !== undefined) {
      return isReference(bytes)
        ? this.#streams.entry(key, options)
        : this.#frames.entry(key, bytes);
    }
    this.#frames.corrupt(key, new CacheError("corrupt", "Cannot decode frame: it is no base64"));
    return undefined;
  }
}
