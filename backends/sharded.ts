/**
 * A tier over several stores, for those who have no Redis cluster: each key is
 * in one of them. A store that is down costs its keys and no others.
 *
 * Keys are spread by rendezvous hashing over the shards' names, so that the
 * order in which they are listed does not matter, and a shard that is added or
 * taken away moves only its own share of the keys. What moved is a miss, and
 * the old copies stay where they were. Therefore, when the shards change:
 *
 * 1. Change them in all programs at the same time: two programs that disagree
 *    do not see one another's writes and deletes.
 * 2. Clear a shard before it is listed again, or give it another `prefix`: it
 *    holds what its keys were when it left.
 * 3. Call {@linkcode ShardedBackend.removeStrays} when all programs have
 *    changed, and before the next change: it removes what was left behind, which
 *    would be found again once its key moves back.
 *
 * Between two changes no copy but the newest is ever read.
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
 *     {
 *       type: "sharded",
 *       shards: [
 *         { id: "a", type: "redis", redisUrl: "redis://host-a:6379" },
 *         { id: "b", type: "redis", redisUrl: "redis://host-b:6379", weight: 2 },
 *       ],
 *     },
 *   ],
 * });
 * ```
 */

import { systemClock } from "../src/clock.ts";
import type { InvalidationBusSource } from "../src/coordination/invalidation_bus.ts";
import type { LockProviderSource } from "../src/coordination/lock_provider.ts";
import type { CacheEntry } from "../src/entry/entry.ts";
import { CacheError } from "../src/errors.ts";
import type {
  BackendContext,
  BackendSetOptions,
  BackendStats,
  CacheBackend,
  ClearOptions,
  OperationOptions,
} from "../src/types.ts";
import { Running } from "./_running.ts";
import { assertAll } from "./sharded/fan_out.ts";
import { Rendezvous } from "./sharded/rendezvous.ts";
import type { Shard } from "./sharded/shard.ts";
import { ShardBatches } from "./sharded/shard_batches.ts";
import type { ShardFailure } from "./sharded/shard_error.ts";
import { ShardedBus } from "./sharded/sharded_bus.ts";
import { openShards, type ShardedConfig, type ShardedSettings } from "./sharded/sharded_config.ts";
import { ShardedLocks } from "./sharded/sharded_locks.ts";
import { sourcesOf } from "./sharded/sources.ts";
import { removeStraysOf } from "./sharded/strays.ts";

export type {
  ReadyShardConfig,
  ShardBackendConfig,
  ShardedConfig,
  ShardOptions,
} from "./sharded/sharded_config.ts";

const STANDALONE_CONTEXT: BackendContext = { clock: systemClock, report: () => {} };

/**
 * Opens a sharded backend and its shards.
 *
 * @param config as {@linkcode ShardedConfig} says.
 * @param context clock and listener, for the shards too; the system's clock and none when it is not given.
 * @throws {TypeError} when a field is unknown or of a wrong type, or two shards have one name.
 * @throws {RangeError} when a number is out of range.
 */
export async function createShardedBackend(
  config: Readonly<Record<string, unknown>> | ShardedConfig,
  context: BackendContext = STANDALONE_CONTEXT,
): Promise<ShardedBackend> {
  const settings = await openShards(config as Readonly<Record<string, unknown>>, context);
  return new ShardedBackend(settings, context);
}

/**
 * Spreads keys over stores. It can do what all of them can.
 *
 * An operation on one key is its shard's. A batch is parted and sent to its
 * shards at once. Where some of the shards fail, `getMany` gives what the
 * others have and reports the failure; it rejects when all that it asked fail.
 * Batches of writes and deletes reject with an error whose `keys` are those of the
 * shards that failed; the others have done their part. `clear`, `keys`, `flush`
 * and `close` do what they can in all shards, then reject. The errors of the
 * shards are the cause, in an `AggregateError` when there are several.
 */
export class ShardedBackend implements CacheBackend {
  /** Names the tier in statistics, events and errors. */
  readonly name: string;
  /** One shard that is down costs its keys only. */
  readonly failsInParts: boolean = true;
  /** Reads without waiting, and counts as a use; where all shards can. */
  readonly getSync?: NonNullable<CacheBackend["getSync"]>;
  /** Reads without waiting and without counting as a use; where all shards can. */
  readonly peek?: NonNullable<CacheBackend["peek"]>;
  /** Reads at once where the shard of the key can; where all shards can. */
  readonly readNow?: NonNullable<CacheBackend["readNow"]>;
  /** Reads many, from their shards at once; where all shards can. */
  readonly getMany?: NonNullable<CacheBackend["getMany"]>;
  /** Stores many, in their shards at once; where all shards can. */
  readonly setMany?: NonNullable<CacheBackend["setMany"]>;
  /** Removes many, from their shards at once; where all shards can. */
  readonly deleteMany?: NonNullable<CacheBackend["deleteMany"]>;
  /** Stores what is newest, in the shards at once; where all shards can. */
  readonly setNewest?: NonNullable<CacheBackend["setNewest"]>;
  /** Removes what is not newer, from the shards at once; where all shards can. */
  readonly deleteUpTo?: NonNullable<CacheBackend["deleteUpTo"]>;
  /** Stores an entry whose frame comes as a stream, in its shard; where all shards can. */
  readonly setStream?: NonNullable<CacheBackend["setStream"]>;
  /** Reads a frame as a stream from its shard; where all shards can. */
  readonly getStream?: NonNullable<CacheBackend["getStream"]>;
  /** Lists the keys of one shard after another, those left of an earlier spread aside; where all shards can. */
  readonly keys?: NonNullable<CacheBackend["keys"]>;
  /** Resolves when everything acknowledged so far is durable in all shards. */
  readonly flush: NonNullable<CacheBackend["flush"]>;
  /** Makes a bus over the buses of all shards; where all have one. */
  readonly createInvalidationBus?: InvalidationBusSource["createInvalidationBus"];
  /** Makes a provider that takes each lock in the shard of its name; where all shards have locks. */
  readonly createLockProvider?: LockProviderSource["createLockProvider"];
  readonly #context: BackendContext;
  readonly #shards: readonly Shard[];
  readonly #placement: Rendezvous<Shard>;
  readonly #batches: ShardBatches;
  readonly #running: Running;
  readonly #closed = new AbortController();
  #closing: Promise<void> | undefined;

  /**
   * Joins shards that are open.
   *
   * @param settings as `openShards` gives them.
   * @param context clock and listener.
   */
  constructor(settings: ShardedSettings, context: BackendContext) {
    const { name, shards } = settings;
    this.name = name;
    this.#context = context;
    this.#shards = shards;
    this.#placement = new Rendezvous(shards);
    this.#batches = new ShardBatches({ ...settings, placement: this.#placement, context });
    this.#running = new Running(name);
    if (this.#all("getSync")) {
      this.getSync = (key) =>
        this.#running.isClosed ? undefined : this.#backendOf(key).getSync!(key);
    }
    if (this.#all("peek")) {
      this.peek = (key) => this.#running.isClosed ? undefined : this.#backendOf(key).peek!(key);
    }
    if (this.#all("readNow")) {
      this.readNow = (key) => {
        this.#running.begin(undefined);
        return this.#backendOf(key).readNow!(key);
      };
    }
    const batches = this.#batches;
    if (this.#all("getMany")) {
      this.getMany = (keys, options) =>
        this.#running.run(options, () => batches.read(keys, options));
    }
    if (this.#all("setMany")) {
      this.setMany = (entries, options) =>
        this.#running.run(
          options,
          () => batches.write(entries, options, (shard, items) => shard.setMany!(items, options)),
        );
    }
    if (this.#all("deleteMany")) {
      this.deleteMany = (keys, options) =>
        this.#running.run(
          options,
          () => batches.remove(keys, options, (shard, items, own) => shard.deleteMany!(items, own)),
        );
    }
    if (this.#all("setNewest")) {
      this.setNewest = (entries, options) =>
        this.#running.run(
          options,
          () =>
            batches.write(entries, options, (shard, items, own) => shard.setNewest!(items, own)),
        );
    }
    if (this.#all("deleteUpTo")) {
      this.deleteUpTo = (keys, version, options) =>
        this.#running.run(options, () =>
          batches.remove(
            keys,
            options,
            (shard, items, own) => shard.deleteUpTo!(items, version, own),
          ));
    }
    if (this.#all("setStream") && this.#all("getStream")) {
      this.setStream = (key, entry, options) =>
        this.#running.run(
          options,
          () => this.#backendOf(key).setStream!(key, entry, this.#untilClosed(options)),
        );
      this.getStream = (key, options) =>
        this.#running.run(
          options,
          () => this.#backendOf(key).getStream!(key, this.#untilClosed(options)),
        );
    }
    if (this.#all("keys")) this.keys = (pattern, options) => this.#keys(pattern, options);
    this.flush = () =>
      this.#running.run(
        undefined,
        async () => void await batches.each("flush shards", ({ backend }) => backend.flush?.()),
      );
    const buses = sourcesOf<InvalidationBusSource>(shards, "createInvalidationBus");
    if (buses !== undefined) {
      this.createInvalidationBus = () => {
        this.#running.begin(undefined);
        const made = buses.map(([shard, source]) =>
          [shard, source.createInvalidationBus()] as const
        );
        return new ShardedBus(name, this.#placement, new Map(made));
      };
    }
    const locks = sourcesOf<LockProviderSource>(shards, "createLockProvider");
    if (locks !== undefined) {
      this.createLockProvider = () => {
        this.#running.begin(undefined);
        const made = new Map(locks.map(([shard, source]) => [shard, source.createLockProvider()]));
        return new ShardedLocks(name, (lock) => made.get(this.#placement.shardOf(lock))!);
      };
    }
  }

  /** Reads one entry from its shard. */
  get(key: string, options?: OperationOptions): Promise<CacheEntry | undefined> {
    return this.#running.run(
      options,
      () => this.#batches.one("read", key, options, (shard, own) => shard.get(key, own)),
    );
  }

  /** Stores one entry in its shard. */
  set(key: string, entry: CacheEntry, options?: BackendSetOptions): Promise<boolean> {
    return this.#running.run(
      options,
      () =>
        this.#batches.one(
          "write",
          key,
          options,
          (shard, own) => shard.set(key, entry, options ?? own),
        ),
    );
  }

  /** Removes one entry from its shard. */
  delete(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#running.run(
      options,
      () => this.#batches.one("delete", key, options, (shard, own) => shard.delete(key, own)),
    );
  }

  /** Tells whether a read would hit. */
  exists(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#running.run(
      options,
      () => this.#batches.one("look up", key, options, (shard, own) => shard.exists(key, own)),
    );
  }

  /** Removes the entries whose keys match a glob, or all, from every shard; strays too, which count. */
  clear(pattern?: string, options?: ClearOptions): Promise<number> {
    return this.#running.run(options, async () =>
      sum(
        await this.#batches.each(
          "clear shards",
          ({ backend }) => backend.clear(pattern, options),
          options,
        ),
      ));
  }

  /** Adds up what the shards hold, strays included. That a shard fails is reported, and what it holds not counted. */
  getStats(): Promise<BackendStats> {
    return this.#running.run(undefined, () => this.#batches.stats());
  }

  /**
   * Removes from each shard the entries whose keys are another shard's: what
   * was left behind when the shards changed. It lists all keys. For a time when
   * all programs have changed to these shards.
   *
   * @returns how many live ones there were.
   * @throws {TypeError} when a shard cannot list its keys.
   * @throws {CacheError} when a shard fails; the others have done their part.
   */
  removeStrays(options?: OperationOptions): Promise<number> {
    return this.#running.run(options, async () => {
      const deaf = this.#shards.find(({ backend }) => backend.keys === undefined);
      if (deaf !== undefined) {
        throw new TypeError(`Cannot remove strays: shard "${deaf.id}" cannot list its keys`);
      }
      return sum(
        await this.#batches.each(
          "remove strays",
          (shard) => removeStraysOf(shard, this.#placement, options),
          options,
        ),
      );
    });
  }

  /**
   * Waits up to five seconds for what is under way, and closes the shards that
   * were opened for it. Those that were given ready-made are flushed, and stay
   * open.
   */
  close(): Promise<void> {
    const { name } = this;
    const message = `Cannot use backend ${name}: it is closed`;
    this.#closed.abort(new CacheError("closed", message, { backend: name }));
    this.#closing ??= this.#running.close(this.#context.clock).then(async () => {
      this.#batches.end();
      await this.#batches.each(
        "close shards",
        ({ backend, isOwn }) => isOwn ? backend.close?.() : backend.flush?.(),
      );
    });
    return this.#closing;
  }

  async *#keys(pattern?: string, options?: OperationOptions): AsyncGenerator<string> {
    this.#running.begin(options);
    const failures: ShardFailure[] = [];
    for (const shard of this.#shards) {
      try {
        for await (const key of shard.backend.keys!(pattern, options)) {
          if (this.#placement.shardOf(key) !== shard) continue;
          yield key;
          this.#running.begin(options);
        }
      } catch (error) {
        this.#running.begin(options);
        failures.push({ shard, error });
      }
    }
    assertAll(this.name, "list keys", { failures }, options);
  }

  /** Options for what goes on after its call has ended. */
  #untilClosed<T extends OperationOptions>(options: T | undefined): T {
    const closed = this.#closed.signal;
    const signal = options?.signal === undefined
      ? closed
      : AbortSignal.any([options.signal, closed]);
    return { ...options, signal } as T;
  }

  #backendOf(key: string): CacheBackend {
    return this.#placement.shardOf(key).backend;
  }

  #all(capability: keyof CacheBackend): boolean {
    return this.#shards.every(({ backend }) => backend[capability] !== undefined);
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
