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
import type {
  BackendContext,
  BackendStats,
  CacheBackend,
  OperationOptions,
  VersionedOutcome,
} from "../src/types.ts";
import type { Random } from "./_back_off.ts";
import { batches } from "./_batches.ts";
import { FrameReader } from "./_frames.ts";
import { ownKeys } from "./_own_keys.ts";
import { Running } from "./_running.ts";
import { STANDALONE_CONTEXT } from "./_standalone_context.ts";
import type { StoredNames } from "./_stored_key.ts";
import type { VersionedWrites } from "./_versioned_writes.ts";
import { ClientSource } from "./redis/client_source.ts";
import {
  readRedisConfig,
  type RedisClient,
  type RedisConfig,
  type RedisSettings,
} from "./redis/redis_config.ts";
import { Echoes } from "./redis/echoes.ts";
import { RedisLink } from "./redis/redis_link.ts";
import { BATCH_KEYS, readAll, readHeaders, unlinkAll } from "./redis/many.ts";
import { writeOf } from "./redis/redis_write.ts";
import { RedisLockProvider } from "./redis/redis_lock_provider.ts";
import { RedisBus } from "./redis/redis_bus.ts";
import { busConnect } from "./redis/bus_connect.ts";
import { redisVersionedWrites } from "./redis/redis_versioned_writes.ts";
import { connectTo } from "./redis/connect.ts";
import { bytesOfReply, type CallOptions, frameOf, RedisStore } from "./redis/redis_store.ts";

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
    const { name, names, target, invalidation } = settings;
    this.name = name;
    this.#context = context;
    this.#random = random;
    this.#settings = settings;
    this.#names = names;
    this.#frames = new FrameReader(name, context);
    this.#running = new Running(name);
    if ("kind" in target) {
      this.#link = new RedisLink({
        backend: name,
        connect: connectTo(target, { tracking: invalidation === "tracking" }),
        canMove: target.kind === "sentinel",
        clock: context.clock,
        random,
      });
      this.#link.observe({
        connected: async () => {},
        lost: (error) => context.report({ kind: "error", error }),
      });
    }
    this.#store = new RedisStore(name, this.#link ?? new ClientSource(name, target as RedisClient));
    this.#versioned = redisVersionedWrites({
      store: this.#store,
      settings,
      frames: this.#frames,
      echoes: this.#echoes,
      clock: context.clock,
    });
  }

  /** Reads one entry. */
  async get(key: string, options?: OperationOptions): Promise<CacheEntry | undefined> {
    this.#running.enter(options);
    const stored = this.#names.entry(key);
    const signal = options?.signal;
    try {
      const answer = signal === undefined ? this.#store.read(stored) : undefined;
      if (answer === undefined) {
        const call = this.#call("read from", options, key);
        return this.#entry(key, await this.#store.send(stored, ["GET", stored], call));
      }
      const reply = await answer;
      this.#store.heard();
      return this.#entry(key, reply);
    } catch (error) {
      return this.#missIfForeign(
        key,
        this.#store.failure(error, this.#call("read from", options, key)),
      );
    } finally {
      this.#running.leave();
    }
  }

  /**
   * Stores one entry; the server drops it when it may not even be served stale any more.
   *
   * @returns `false` when its frame is larger than `maxValueBytes`.
   */
  set(key: string, entry: CacheEntry, options?: OperationOptions): Promise<boolean> {
    return this.#running.run(options, async () => {
      if (entry.key !== key) {
        throw new TypeError(`Cannot set ${show(key)}: entry is of key ${show(entry.key)}`);
      }
      const encoded = entry.encode();
      const frame = encoded instanceof Promise ? await encoded : encoded;
      options?.signal?.throwIfAborted();
      const { send, isStored } = writeOf(entry, frame, this.#settings, this.#context.clock.now());
      await this.#store.call(send, this.#call("write to", options, key));
      return isStored;
    });
  }

  /** Removes one entry. */
  delete(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#running.run(options, async () => {
      const call = this.#call("delete from", options, key);
      return await this.#remove([this.#names.entry(key)], call) === 1;
    });
  }

  /** Tells whether a read would hit, by the header alone. */
  exists(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#running.run(options, async () => {
      const call = this.#call("read from", options, key);
      const [isLive] = await this.#liveness([this.#names.entry(key)], call);
      return isLive === true;
    });
  }

  /** Removes the entries whose keys match a glob, or all of this prefix. */
  clear(pattern?: string, options?: OperationOptions): Promise<number> {
    return this.#running.run(options, async () => {
      const call = this.#call("clear", options);
      const { match, matches } = this.#names.scan(pattern);
      let removed = 0;
      for await (const page of this.#store.scan(match, call)) {
        const doomed = ownKeys(page, this.#names, matches).map(({ stored }) => stored);
        if (doomed.length > 0) removed += await this.#remove(doomed, call);
      }
      return removed;
    });
  }

  /** Reads many in one round trip, by a thousand keys. */
  getMany(
    keys: readonly string[],
    options?: OperationOptions,
  ): Promise<(CacheEntry | undefined)[]> {
    return this.#running.run(options, async () => {
      const call = this.#call("read from", options);
      const entries: (CacheEntry | undefined)[] = [];
      for (const batch of batches(keys, BATCH_KEYS)) {
        const stored = batch.map((key) => this.#names.entry(key));
        const replies = await this.#store.call((connection) => readAll(connection, stored), call);
        for (const [at, key] of batch.entries()) entries.push(this.#entry(key, replies[at]));
      }
      return entries;
    });
  }

  /** Stores many in one round trip, by a thousand entries. */
  setMany(entries: readonly CacheEntry[], options?: OperationOptions): Promise<boolean[]> {
    return this.#running.run(options, async () => {
      const call = this.#call("write to", options);
      const outcomes: boolean[] = [];
      for (const batch of batches(entries, BATCH_KEYS)) {
        const frames = await Promise.all(batch.map((entry) => entry.encode()));
        options?.signal?.throwIfAborted();
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
      const call = this.#call("delete from", options);
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
      () => this.#versioned.setNewest(entries, this.#call("write to", options)),
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
      () => this.#versioned.deleteUpTo(keys, version, this.#call("delete from", options)),
    );
  }

  /** Lists the keys of live entries that match a glob. Entries may come and go meanwhile. */
  async *keys(pattern?: string, options?: OperationOptions): AsyncGenerator<string> {
    this.#running.begin(options);
    const call = this.#call("list keys of", options);
    const { match, matches } = this.#names.scan(pattern);
    // A scan may find a key twice.
    const seen = new Set<string>();
    for await (const page of this.#store.scan(match, call)) {
      const found = ownKeys(page, this.#names, matches).filter(({ stored }) => !seen.has(stored));
      for (const { stored } of found) seen.add(stored);
      const liveness = await this.#liveness(found.map(({ stored }) => stored), call);
      for (const [at, { key }] of found.entries()) {
        if (liveness[at] !== true) continue;
        yield key;
        this.#running.begin(options);
      }
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
    const { name, names, target, invalidation } = this.#settings;
    const tracking = invalidation === "tracking";
    const link = tracking ? this.#link : undefined;
    return new RedisBus({
      name,
      names,
      tracking,
      echoes: this.#echoes,
      ownsLink: link === undefined,
      link: link ?? new RedisLink({
        backend: name,
        connect: busConnect(target),
        clock: this.#context.clock,
        random: this.#random,
      }),
      send: (message, options) =>
        this.#running.run(options, () => {
          const call = this.#call("publish to", options);
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
    this.#closing ??= this.#running.close(this.#context.clock).then(() => this.#link?.close());
    return this.#closing;
  }

  #call(verb: string, options: OperationOptions | undefined, key?: string): CallOptions {
    return { action: `Cannot ${verb} Redis`, key, signal: options?.signal };
  }

  /** Removes stored keys in one round trip. @returns how many held a live entry. */
  async #remove(stored: readonly string[], call: CallOptions): Promise<number> {
    const removed = await this.#store.call((connection) => unlinkAll(connection, stored), call);
    return removed.filter((header) => this.#isLive(header)).length;
  }

  async #liveness(stored: readonly string[], call: CallOptions): Promise<boolean[]> {
    const headers = await this.#store.call((connection) => readHeaders(connection, stored), call);
    return headers.map((header) => this.#isLive(header));
  }

  #isLive(header: unknown): boolean {
    const bytes = bytesOfReply(header);
    return bytes !== undefined && bytes.length > 0 && this.#frames.isLive(bytes);
  }

  #entry(key: string, reply: unknown): CacheEntry | undefined {
    const bytes = bytesOfReply(reply);
    return bytes === undefined ? undefined : this.#frames.entry(key, frameOf(bytes));
  }

  #missIfForeign(key: string, error: unknown): undefined {
    if (!isCacheError(error, "corrupt")) throw error;
    this.#frames.corrupt(key, error);
  }
}
