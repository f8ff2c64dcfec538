/**
 * A tier in Redis: shared by all processes that reach the server, be it one, a
 * cluster, or a primary that sentinels know.
 *
 * @module
 *
 * @example
 * ```ts ignore
 * import { CacheManager } from "@strata/cache";
 *
 * await using cache = await CacheManager.open({
 *   backends: [
 *     { type: "memory", maxSizeMb: 64 },
 *     { type: "redis", redisUrl: "redis://localhost:6379", prefix: "app" },
 *   ],
 * });
 * await cache.set("key", new Float32Array([1, 2, 3]), { ttl: "1h" });
 * ```
 */

import { show } from "../src/config.ts";
import type {
  InvalidationBus,
  InvalidationBusSource,
} from "../src/coordination/invalidation_bus.ts";
import type { LockProvider, LockProviderSource } from "../src/coordination/lock_provider.ts";
import type { CacheEntry } from "../src/entry/entry.ts";
import { isCacheError } from "../src/errors.ts";
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
import { unguardedSignal } from "./_abortable.ts";
import { batches } from "./_batches.ts";
import { FrameReader } from "./_frames.ts";
import type { ChunkedStreams } from "./_chunked_streams.ts";
import { Running } from "./_running.ts";
import { clearEntries, type EntryScan, liveKeys } from "./_scan_entries.ts";
import { STANDALONE_CONTEXT } from "./_standalone_context.ts";
import type { StoredNames } from "./_stored_key.ts";
import { isReference } from "./_stream_reference.ts";
import type { VersionedWrites } from "./_versioned_writes.ts";
import { ClientSource } from "./redis/client_source.ts";
import {
  readRedisConfig,
  type RedisClient,
  type RedisConfig,
  type RedisSettings,
} from "./redis/redis_config.ts";
import { Echoes } from "./redis/echoes.ts";
import type { RedisLink } from "./redis/redis_link.ts";
import { BATCH_KEYS, readAll, readHeaders, unlinkAll } from "./redis/many.ts";
import { writeOf } from "./redis/redis_write.ts";
import { RedisLockProvider } from "./redis/redis_lock_provider.ts";
import { RedisBus } from "./redis/redis_bus.ts";
import { backendLink, busLink } from "./redis/own_link.ts";
import { redisStreams } from "./redis/redis_streams.ts";
import { redisVersionedWrites } from "./redis/redis_versioned_writes.ts";
import {
  bytesOfReply,
  callOf,
  type CallOptions,
  frameOf,
  RedisStore,
} from "./redis/redis_store.ts";

export type { RedisClient, RedisConfig, RedisTlsConfig } from "./redis/redis_config.ts";
export type {
  ByteReplies,
  RedisClientLike,
  RedisClusterLike,
  RedisSentinelLike,
} from "./redis/client_like.ts";

/**
 * Opens a Redis backend. The first operation connects.
 *
 * @param config as {@linkcode RedisConfig} says.
 * @param context clock and listener.
 * @throws {TypeError} when a field is unknown or of a wrong type.
 * @throws {RangeError} when a number is out of range.
 */
export function createRedisBackend(
  config: Readonly<Record<string, unknown>>,
  context: BackendContext,
): RedisBackend {
  return new RedisBackend(config, context);
}

/**
 * Keeps frames as strings in Redis, each with its own expiry. While there is no
 * connection every operation fails at once.
 */
export class RedisBackend implements CacheBackend, InvalidationBusSource, LockProviderSource {
  /** Names the tier in statistics, events and errors. */
  readonly name: string;
  readonly #context: BackendContext;
  readonly #random: Random;
  readonly #settings: RedisSettings;
  readonly #names: StoredNames;
  readonly #link: RedisLink | undefined;
  readonly #store: RedisStore;
  readonly #frames: FrameReader;
  readonly #versioned: VersionedWrites<CallOptions>;
  readonly #streams: ChunkedStreams;
  readonly #running: Running;
  readonly #echoes: Echoes = new Echoes();
  #closing: Promise<void> | undefined;

  /**
   * Creates a backend, without connecting.
   *
   * @param config where the server is, and limits.
   * @param context clock and listener; the system's clock and none when it is not given.
   * @param random spreads attempts to connect; from 0 up to 1.
   * @throws {TypeError} when a field is unknown or of a wrong type.
   * @throws {RangeError} when a number is out of range.
   */
  constructor(
    config: Readonly<Record<string, unknown>> | RedisConfig,
    context: BackendContext = STANDALONE_CONTEXT,
    random: Random = Math.random,
  ) {
    const settings = readRedisConfig(config as Readonly<Record<string, unknown>>);
    const { name, names, target } = this.#settings = settings;
    this.name = name;
    this.#context = context;
    this.#random = random;
    this.#names = names;
    this.#frames = new FrameReader(name, context);
    this.#running = new Running(name);
    this.#link = backendLink(settings, context, random);
    this.#store = new RedisStore(name, this.#link ?? new ClientSource(name, target as RedisClient));
    const parts = { store: this.#store, settings, frames: this.#frames, clock: context.clock };
    this.#versioned = redisVersionedWrites({ ...parts, echoes: this.#echoes });
    this.#streams = redisStreams({
      ...parts,
      versioned: this.#versioned,
      run: (options, operate) => this.#running.run(options, operate),
    });
  }

  /** Reads one entry. */
  async get(key: string, options?: OperationOptions): Promise<CacheEntry | undefined> {
    this.#running.enter(options);
    const stored = this.#names.entry(key);
    try {
      const answer = unguardedSignal(options) === undefined ? this.#store.read(stored) : undefined;
      if (answer === undefined) {
        const call = callOf("read from", options, key);
        const read = await this.#store.send(stored, ["GET", stored], call);
        return await this.#entry(key, read, options);
      }
      const reply = await answer;
      this.#store.heard();
      const entry = this.#entry(key, reply, options);
      return entry instanceof Promise ? await entry : entry;
    } catch (error) {
      const call = callOf("read from", options, key);
      return this.#missIfForeign(key, this.#store.failure(error, call));
    } finally {
      this.#running.leave();
    }
  }

  /**
   * Stores one entry, in the order of calls; the server drops it when it may not even be served stale.
   * @returns `false` when its frame is larger than `maxValueBytes`.
   */
  set(key: string, entry: CacheEntry, options?: OperationOptions): Promise<boolean> {
    return this.#running.run(options, async () => {
      if (entry.key !== key) {
        throw new TypeError(`Cannot set ${show(key)}: entry is of key ${show(entry.key)}`);
      }
      const encoded = entry.encode();
      const frame = encoded instanceof Promise ? await encoded : encoded;
      unguardedSignal(options)?.throwIfAborted();
      const { send, isStored } = writeOf(entry, frame, this.#settings, this.#context.clock.now());
      await this.#store.call(send, callOf("write to", options, key));
      return isStored;
    });
  }

  /** Removes one entry. */
  delete(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#running.run(options, async () => {
      const call = callOf("delete from", options, key);
      return await this.#remove([this.#names.entry(key)], call) === 1;
    });
  }

  /** Tells whether a read would hit, by the header alone. */
  exists(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#running.run(options, async () => {
      const call = callOf("read from", options, key);
      return (await this.#liveness([this.#names.entry(key)], call))[0] === true;
    });
  }

  /** Removes the entries whose keys match a glob, or all of this prefix. */
  clear(pattern?: string, options?: ClearOptions): Promise<number> {
    return this.#running.run(options, async () => {
      const call = callOf("clear", options);
      const scan = { ...this.#scan(pattern, call), keeps: options?.keeps };
      return await clearEntries(scan, (stored) => this.#remove(stored, call));
    });
  }

  /** Reads many in one round trip, by a thousand keys. */
  getMany(
    keys: readonly string[],
    options?: OperationOptions,
  ): Promise<(CacheEntry | undefined)[]> {
    return this.#running.run(options, async () => {
      const call = callOf("read from", options);
      const entries: (CacheEntry | undefined)[] = [];
      for (const batch of batches(keys, BATCH_KEYS)) {
        const stored = batch.map((key) => this.#names.entry(key));
        const replies = await this.#store.call((connection) => readAll(connection, stored), call);
        for (const [at, key] of batch.entries()) {
          entries.push(await this.#entry(key, replies[at], options));
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

  /** Stores many in one round trip, by a thousand entries. */
  setMany(entries: readonly CacheEntry[], options?: OperationOptions): Promise<boolean[]> {
    return this.#running.run(options, async () => {
      const call = callOf("write to", options);
      const outcomes: boolean[] = [];
      for (const batch of batches(entries, BATCH_KEYS)) {
        const frames = await Promise.all(batch.map((entry) => entry.encode()));
        unguardedSignal(options)?.throwIfAborted();
        const now = this.#context.clock.now();
        const writes = batch.map((entry, at) =>
          writeOf(entry, frames[at] as Uint8Array, this.#settings, now)
        );
        await this.#store.call(
          (connection) => Promise.all(writes.map(({ send }) => send(connection))),
          call,
        );
        for (const { isStored } of writes) outcomes.push(isStored);
      }
      return outcomes;
    });
  }

  /** Removes many in one round trip, by a thousand keys. */
  deleteMany(keys: readonly string[], options?: OperationOptions): Promise<number> {
    return this.#running.run(options, async () => {
      const call = callOf("delete from", options);
      const stored = [...new Set(keys)].map((key) => this.#names.entry(key));
      let removed = 0;
      for (const batch of batches(stored, BATCH_KEYS)) removed += await this.#remove(batch, call);
      return removed;
    });
  }

  /** Stores what is newer than what is there, many in one round trip, by a thousand entries. */
  setNewest(
    entries: readonly CacheEntry[],
    options?: OperationOptions,
  ): Promise<VersionedOutcome[]> {
    return this.#running.run(
      options,
      () => this.#versioned.setNewest(entries, callOf("write to", options)),
    );
  }

  /** Removes what is not newer, many in one round trip, and leaves marks for five minutes. */
  deleteUpTo(
    keys: readonly string[],
    version: number,
    options?: OperationOptions,
  ): Promise<number> {
    return this.#running.run(
      options,
      () => this.#versioned.deleteUpTo(keys, version, callOf("delete from", options)),
    );
  }

  /** Lists the keys of live entries that match a glob. Entries may come and go meanwhile. */
  async *keys(pattern?: string, options?: OperationOptions): AsyncGenerator<string> {
    this.#running.begin(options);
    const call = callOf("list keys of", options);
    const scan = this.#scan(pattern, call);
    for await (const key of liveKeys(scan, (stored) => this.#liveness(stored, call))) {
      yield key;
      this.#running.begin(options);
    }
  }

  /** Reports what is known here; the server counts all prefixes together. */
  // deno-lint-ignore require-await -- rejects instead of throwing
  async getStats(): Promise<BackendStats> {
    this.#running.begin(undefined);
    return { corruptions: this.#frames.corruptions };
  }

  /** Makes a bus over the same server, on a connection of its own unless the server does the telling. */
  createInvalidationBus(): InvalidationBus {
    this.#running.begin(undefined);
    const { name, names, invalidation } = this.#settings;
    const tracking = invalidation === "tracking";
    const link = tracking ? this.#link : undefined;
    return new RedisBus({
      name,
      names,
      tracking,
      echoes: this.#echoes,
      ownsLink: link === undefined,
      link: link ?? busLink(this.#settings, this.#context, this.#random),
      send: (message, options) =>
        this.#running.run(options, () => {
          const call = callOf("publish to", options);
          return this.#store.call((to) => to.publish(names.channel, message), call);
        }),
      context: this.#context,
      sender: crypto.randomUUID(),
    });
  }

  /** Makes a provider of locks over the same connection. */
  createLockProvider(): LockProvider {
    this.#running.begin(undefined);
    return new RedisLockProvider(
      this.name,
      this.#names,
      (options, operate) => this.#running.run(options, () => operate(this.#store)),
    );
  }

  /** Waits up to five seconds for what is under way, and disconnects. A client that was given stays open. */
  close(): Promise<void> {
    this.#streams.close();
    this.#closing ??= this.#running.close(this.#context.clock).then(() => this.#link?.close());
    return this.#closing;
  }

  /** Removes stored keys in one round trip. @returns how many held a live entry. */
  async #remove(stored: readonly string[], call: CallOptions): Promise<number> {
    const removed = await this.#store.call((to) => unlinkAll(to, stored, this.#names), call);
    return removed.filter((header) => this.#isLive(header)).length;
  }

  async #liveness(stored: readonly string[], call: CallOptions): Promise<boolean[]> {
    const headers = await this.#store.call((connection) => readHeaders(connection, stored), call);
    return headers.map((header) => this.#isLive(header));
  }

  #isLive(header: unknown): boolean {
    const bytes = bytesOfReply(header);
    return bytes !== undefined && this.#frames.isLive(bytes);
  }

  #scan(pattern: string | undefined, call: CallOptions): EntryScan {
    return { names: this.#names, pattern, pages: (match) => this.#store.scan(match, call) };
  }

  #entry(
    key: string,
    reply: unknown,
    options: OperationOptions | undefined,
  ): MaybePromise<CacheEntry | undefined> {
    const bytes = bytesOfReply(reply);
    if (bytes === undefined) return undefined;
    if (isReference(bytes)) return this.#streams.entry(key, options);
    return this.#frames.entry(key, frameOf(bytes));
  }

  #missIfForeign(key: string, error: unknown): undefined {
    if (!isCacheError(error, "corrupt")) throw error;
    this.#frames.corrupt(key, error);
  }
}
