import { show } from "../../src/config.ts";
import type { LockProvider, LockProviderSource } from "../../src/coordination/lock_provider.ts";
import type { CacheEntry } from "../../src/entry/entry.ts";
import { CacheError } from "../../src/errors.ts";
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
} from "../../src/types.ts";
import type { Random } from "../_back_off.ts";
import { FrameReader } from "../_frames.ts";
import { clearEntries } from "./clear_entries.ts";
import { ConditionsOfStore } from "./conditions_of_store.ts";
import { deleteEntries } from "./delete_entries.ts";
import { KnownObjects } from "./known_objects.ts";
import { liveEntries } from "./live_entries.ts";
import { ObjectLocks } from "./object_locks.ts";
import { encodeStanding } from "./object_metadata.ts";
import type { ObjectStore } from "./object_store.ts";
import { ObjectVersionedWrites } from "./object_versioned_writes.ts";
import { Operations } from "./operations.ts";
import { purgeExpired, type PurgeOptions } from "./purge_expired.ts";
import { Records } from "./records.ts";
import { Requests } from "./requests.ts";
import type { ObjectStoreSettings } from "./settings.ts";
import { settleAll } from "./settle_all.ts";
import { StoreError } from "./store_error.ts";
import { Streams } from "./streams.ts";
import { Sweeper } from "./sweeper.ts";
import { versionedMethods } from "./versioned_methods.ts";
import { walkEntries } from "./walk.ts";

/** What a backend over a store of objects is made of. */
export interface ObjectStoreBackendParts {
  /** How requests are made, and what answers mean. */
  readonly store: ObjectStore;
  /** Names and limits, checked. */
  readonly settings: ObjectStoreSettings;
  /** Clock and listener. */
  readonly context: BackendContext;
  /** Spreads attempts; from 0 up to 1. */
  readonly random: Random;
}

/**
 * Keeps each frame as an object, with its times and version beside it. The
 * same for every store; what differs is an {@linkcode ObjectStore}.
 *
 * Stores have no expiry to the millisecond: an entry that is over is a miss by
 * its frame, and its object is removed by whoever comes across it and by
 * {@linkcode ObjectStoreBackend.purgeExpired}. Where deletions take no
 * condition, a value that another process writes within the round trip of such
 * a removal is lost with it, and a miss.
 */
export class ObjectStoreBackend implements CacheBackend, LockProviderSource {
  /** Names the tier in statistics, events and errors. */
  readonly name: string;
  /**
   * Stores what is newer than what is there. Taken away when the store turns
   * out to ignore conditions on writes.
   */
  setNewest?: (
    entries: readonly CacheEntry[],
    options?: OperationOptions,
  ) => Promise<VersionedOutcome[]>;
  /**
   * Removes what is not newer, and leaves marks for five minutes. Taken away
   * when the store turns out to ignore conditions on writes.
   */
  deleteUpTo?: (
    keys: readonly string[],
    version: number,
    options?: OperationOptions,
  ) => Promise<number>;
  readonly #store: ObjectStore;
  readonly #settings: ObjectStoreSettings;
  readonly #context: BackendContext;
  readonly #requests: Requests;
  readonly #records: Records;
  readonly #known = new KnownObjects();
  readonly #frames: FrameReader;
  readonly #operations: Operations;
  readonly #conditions: ConditionsOfStore;
  readonly #sweeper: Sweeper;
  readonly #streams: Streams;
  #purged = 0;
  #closing: Promise<void> | undefined;

  /** Creates a backend, without sending anything. */
  constructor({ store, settings, context, random }: ObjectStoreBackendParts) {
    const { name, names } = settings;
    const { clock } = context;
    this.name = name;
    this.#store = store;
    this.#settings = settings;
    this.#context = context;
    this.#requests = new Requests({ ...settings, clock, random });
    this.#records = new Records({ store, names, requests: this.#requests, known: this.#known });
    this.#frames = new FrameReader(name, context);
    this.#operations = new Operations(name, store);
    const parts = { store, names, requests: this.#requests, records: this.#records };
    this.#conditions = new ConditionsOfStore({
      ...parts,
      context,
      settings,
      onNone: () => {
        delete this.setNewest;
        delete this.deleteUpTo;
      },
    });
    this.#sweeper = new Sweeper({
      records: this.#records,
      conditions: this.#conditions,
      context,
      grace: settings.expiryGrace,
      run: (key, operate) => this.#operations.write("purge", [key], undefined, operate),
    });
    this.#streams = new Streams({
      ...parts,
      backend: name,
      clock,
      frames: this.#frames,
      operations: this.#operations,
      conditions: this.#conditions,
      sweeper: this.#sweeper,
    });
    if (settings.conditionalWrites !== false) {
      const versioned = versionedMethods({
        versioned: new ObjectVersionedWrites({ ...parts, clock, known: this.#known }),
        conditions: this.#conditions,
        names,
        plain: this,
        find: (verb, options, operate) => this.#operations.do(verb, undefined, options, operate),
        write: (verb, key, options, operate) =>
          this.#operations.write(verb, [key], options, operate),
        fail: (verb, failures) => this.#operations.throwFor(verb, failures),
      });
      this.setNewest = versioned.setNewest;
      this.deleteUpTo = versioned.deleteUpTo;
    }
  }

  /** Reads one entry. */
  get(key: string, options?: OperationOptions): Promise<CacheEntry | undefined> {
    return this.#operations.do("read from", key, options, () => this.#get(key, options?.signal));
  }

  /** Reads many at once, as many as `maxRequests` allows. */
  async getMany(
    keys: readonly string[],
    options?: OperationOptions,
  ): Promise<(CacheEntry | undefined)[]> {
    const distinct = [...new Set(keys)];
    const { values, failed } = await settleAll(
      distinct,
      (key) => this.get(key, options),
      options?.signal,
    );
    if (failed.length > 0 && failed.length === distinct.length) throw failed[0]!.error;
    for (const { item: key, error } of failed) this.#context.report({ kind: "error", key, error });
    return keys.map((key) => values.get(key));
  }

  /** Stores one entry, in place of any other. */
  async set(key: string, entry: CacheEntry, options?: OperationOptions): Promise<boolean> {
    if (entry.key !== key) {
      throw new TypeError(`Cannot set ${show(key)}: entry is of key ${show(entry.key)}`);
    }
    await this.#operations.write("write to", [key], options, async (signal) => {
      const name = await this.#settings.names.entry(key);
      const frame = await entry.encode();
      // One that is over leaves no older one behind.
      if (entry.staleUntil <= this.#context.clock.now()) {
        await this.#records.remove(name, signal);
        return;
      }
      const metadata = encodeStanding(entry);
      await this.#requests.write(
        signal,
        (own) => this.#store.put(name, frame, { signal: own, metadata }),
      );
    });
    return true;
  }

  /** Stores an entry whose frame comes as a stream, in parts that become visible together. */
  setStream(
    key: string,
    entry: StreamedEntry,
    options?: OperationOptions,
  ): Promise<VersionedOutcome> {
    return this.#streams.set(key, entry, options);
  }

  /** Reads the frame of an entry, or a range of it, as a stream. */
  getStream(key: string, options?: FrameReadOptions): Promise<StoredFrame | undefined> {
    return this.#streams.get(key, options);
  }

  /** Stores many at once, as many as `maxRequests` allows. */
  async setMany(entries: readonly CacheEntry[], options?: OperationOptions): Promise<boolean[]> {
    const { failed } = await settleAll(
      entries,
      (entry) => this.set(entry.key, entry, options),
      options?.signal,
    );
    this.#operations.throwFor(
      "write to",
      failed.map(({ item, error }) => ({ key: item.key, error })),
    );
    return entries.map(() => true);
  }

  /** Removes one entry. */
  delete(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#operations.write("delete from", [key], options, async (signal) => {
      const name = await this.#settings.names.entry(key);
      const held = await this.#records.look(name, signal);
      if (held === undefined) return false;
      const isLive = this.#isLive(held.standing);
      await this.#records.remove(name, signal);
      return isLive;
    });
  }

  /** Removes many, in as few requests as the store allows. */
  deleteMany(keys: readonly string[], options?: OperationOptions): Promise<number> {
    const distinct = [...new Set(keys)];
    return this.#operations.write("delete from", distinct, options, (signal) =>
      deleteEntries(
        {
          records: this.#records,
          names: this.#settings.names,
          store: this.#store,
          isLive: (standing) => this.#isLive(standing),
          fail: (failures) => this.#operations.throwFor("delete from", failures),
        },
        distinct,
        signal,
      ));
  }

  /** Tells whether a read would hit, by a HEAD. */
  exists(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#operations.do("read from", key, options, async () => {
      const name = await this.#settings.names.entry(key);
      const held = await this.#records.look(name, options?.signal);
      return this.#isLive(held?.standing);
    });
  }

  /**
   * Removes the entries whose keys match a glob, or all of this prefix.
   *
   * @throws {CacheError} whose `keys` says which could not be removed, when all others are.
   */
  clear(pattern?: string, options?: ClearOptions): Promise<number> {
    return this.#operations.do("clear", undefined, options, () =>
      clearEntries({
        pages: this.#pages(pattern, options?.signal),
        records: this.#records,
        lanes: this.#operations.lanes,
        store: this.#store,
        keeps: options?.keeps,
        isLive: (standing) => this.#isLive(standing),
        fail: (failures) => this.#operations.throwFor("clear", failures),
      }, options?.signal));
  }

  /** Lists the keys of live entries that match a glob. Entries may come and go meanwhile. */
  async *keys(pattern?: string, options?: OperationOptions): AsyncGenerator<string> {
    this.#operations.begin(options);
    const signal = options?.signal;
    try {
      for await (const page of this.#pages(pattern, signal)) {
        const live = await liveEntries(page, this.#records, (held) => this.#isLive(held), signal);
        for (const [at, { key }] of page.entries()) {
          if (live[at] !== true) continue;
          yield key;
          this.#operations.begin(options);
        }
      }
    } catch (error) {
      throw this.#operations.failure("list keys of", undefined, error, signal);
    }
  }

  /**
   * Removes the objects of entries that are over, and what
   * finding out about the store has left. Another process may do the same at the same time.
   *
   * @returns how many entries it removed.
   */
  purgeExpired(options: PurgeOptions = {}): Promise<number> {
    return this.#operations.do("purge", undefined, options, () =>
      purgeExpired({
        pages: this.#pages(undefined, options.signal),
        records: this.#records,
        requests: this.#requests,
        lanes: this.#operations.lanes,
        store: this.#store,
        names: this.#settings.names,
        conditions: this.#conditions.known,
        clock: this.#context.clock,
        grace: this.#settings.expiryGrace,
        count: (removed) => void (this.#purged += removed),
        fail: (failures) => this.#operations.throwFor("purge", failures),
      }, options));
  }

  /** Reports what is known here; stores do not count what is under a prefix. */
  // deno-lint-ignore require-await -- rejects instead of throwing
  async getStats(): Promise<BackendStats> {
    this.#operations.begin(undefined);
    return {
      corruptions: this.#frames.corruptions,
      expirations: this.#purged + this.#sweeper.swept,
    };
  }

  /**
   * Makes a provider of locks over the same store. Its
   * {@linkcode LockProvider.acquire} rejects as `"unavailable"` where the store
   * ignores conditions on writes.
   */
  createLockProvider(): LockProvider {
    this.#operations.begin(undefined);
    return new ObjectLocks({
      name: this.name,
      clock: this.#context.clock,
      store: this.#store,
      names: this.#settings.names,
      requests: this.#requests,
      records: this.#records,
      conditions: (signal) => this.#conditions.find(signal),
      run: (options, operate) => this.#operations.run(options, operate),
    });
  }

  /** Waits up to five seconds for what is under way. */
  close(): Promise<void> {
    this.#streams.close();
    this.#closing ??= this.#operations.close(this.#context.clock).then(() => this.#store.close?.());
    return this.#closing;
  }

  async #get(key: string, signal: AbortSignal | undefined): Promise<CacheEntry | undefined> {
    const named = this.#settings.names.entry(key);
    const name = typeof named === "string" ? named : await named;
    try {
      const stored = await this.#records.read(name, signal);
      if (stored === undefined) {
        this.#known.take(name);
        return undefined;
      }
      if (this.setNewest !== undefined) this.#known.note(name, stored);
      const entry = this.#frames.entry(key, stored.bytes);
      if (entry === undefined) this.#sweeper.sweep(key, name, stored);
      return entry;
    } catch (error) {
      if (!(error instanceof StoreError) || error.kind !== "truncated") throw error;
      const reason = "Cannot decode frame: the answer ended early";
      this.#frames.corrupt(key, new CacheError("corrupt", reason, { cause: error }));
      return undefined;
    }
  }

  #pages(
    pattern: string | undefined,
    signal: AbortSignal | undefined,
  ): ReturnType<typeof walkEntries> {
    const { names } = this.#settings;
    const parts = { store: this.#store, names, requests: this.#requests, records: this.#records };
    return walkEntries(parts, names.scan(pattern), signal);
  }

  #isLive(standing: { readonly expiresAt: number } | undefined): boolean {
    return standing !== undefined && standing.expiresAt > this.#context.clock.now();
  }
}
