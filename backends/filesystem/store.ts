import type { CacheEntry } from "../../src/entry/entry.ts";
import type { Placement } from "../../src/eviction/eviction_policy.ts";
import { createEvictionPolicy } from "../../src/eviction/policies.ts";
import { andThen, type MaybePromise } from "../../src/maybe_promise.ts";
import type { BackendContext } from "../../src/types.ts";
import { BASE_BYTES, type CheckedConfig } from "./config.ts";
import { bytesBeside } from "./bytes_beside.ts";
import { type Disk, probe } from "./disk.ts";
import { FirstForm } from "./first_form.ts";
import { fileOf, LargeFiles, newFile, ORPHAN_AGE_MS } from "./large_files.ts";
import type { SegmentLogStats } from "./log/log_stats.ts";
import type { Place } from "./log/reference.ts";
import { SegmentLog } from "./log/segment_log.ts";
import type { LockHost } from "./locks/lock_store.ts";
import { notTaken, tellNoRoom } from "./no_room.ts";
import { StoredEntries } from "./stored_entries.ts";
import { StoreStreams } from "./store_streams.ts";

/** The folder of the log, below the base path. */
const FOLDER = "v2";

/** How often files are looked for that nothing refers to. */
const SWEEP_INTERVAL_MS = 600_000;

/** Values in a segment log, the large ones in files of their own. */
export class Store {
  readonly #log: SegmentLog;
  readonly #files: LargeFiles;
  readonly #entries: StoredEntries;
  readonly #context: BackendContext;
  readonly #maxInlineBytes: number;
  /** Moves streams. */
  readonly streams: StoreStreams;
  /** Writes that wait for something, by key; a later change of the key takes its place here, and they are dropped. */
  readonly #pending = new Map<string, symbol>();
  #firstForm: FirstForm | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #migrating: Promise<void> | undefined;
  #cancelSweep: (() => void) | undefined;
  #isClosed = false;

  private constructor(
    log: SegmentLog,
    files: LargeFiles,
    context: BackendContext,
    maxInlineBytes: number,
    disk: Disk,
  ) {
    this.#log = log;
    this.#files = files;
    this.#entries = new StoredEntries(log, files, context);
    this.#context = context;
    this.#maxInlineBytes = maxInlineBytes;
    const shared = { log, files, disk, context, maxInlineBytes };
    this.streams = new StoreStreams({
      ...shared,
      pending: this.#pending,
      supersede: (key) => this.#firstForm?.supersede(key),
      put: (key, frame, expiresAt) => this.#setLater(key, frame, expiresAt),
      get: (key) => this.#getFirstForm(key),
    });
  }

  /**
   * Opens the directory.
   *
   * @throws what the system says when it cannot be made or written.
   */
  static async open(config: CheckedConfig, context: BackendContext, disk: Disk): Promise<Store> {
    const { base, maxEntries, maxInlineBytes, durability } = config;
    const folder = `${base}/${FOLDER}`;
    await probe(disk, folder);
    const maxBytes = config.maxBytes - BASE_BYTES;
    const hasFirstForm = await FirstForm.makeRoom(base, disk, maxBytes);
    let drop = (body: Uint8Array): MaybePromise<void> => void dropped.push(body);
    const dropped: Uint8Array[] = [];
    const log = await SegmentLog.open(folder, {
      policy: (limits) => createEvictionPolicy(config.policyName, limits),
      maxBytes,
      maxEntries,
      durability,
      io: config.io,
      pollMs: config.pollMs,
      ...(config.segmentBytes !== undefined && { segmentBytes: config.segmentBytes }),
      // A frame is checked as a whole when it is decoded.
      checkBodies: false,
      external: {
        measure: (directory) => bytesBeside(directory, base),
        drop: (body) => drop(body),
      },
      clock: context.clock,
      report: context.report,
    });
    const files = new LargeFiles(disk, log, durability !== "none");
    drop = (body) => {
      const file = fileOf(body);
      return file && files.remove(file);
    };
    dropped.forEach(drop);
    const store = new Store(log, files, context, maxInlineBytes, disk);
    store.#begin(hasFirstForm ? { base, disk } : undefined);
    return store;
  }

  /** Reads an entry; never throws. */
  get(key: string): MaybePromise<CacheEntry | undefined> {
    const found = this.#log.get(key);
    if (found === undefined) return this.#getFirstForm(key);
    return found instanceof Promise
      ? found.then((entry) =>
        entry === undefined ? this.#getFirstForm(key) : this.#entries.of(key, entry)
      )
      : this.#entries.of(key, found);
  }

  /** Reads an entry that needs no waiting; `"wait"` where it does. */
  readNow(key: string): CacheEntry | undefined | "wait" {
    if (this.#log.core.meter.isAsync) return "wait";
    const found = this.#log.get(key);
    if (found === undefined) return this.#firstForm === undefined ? undefined : "wait";
    if (found instanceof Promise || found.isReference) return "wait";
    return this.#entries.decode(key, found.body);
  }

  /** Reads many, in the order of the keys. */
  getMany(keys: readonly string[]): MaybePromise<(CacheEntry | undefined)[]> {
    return andThen(this.#log.getMany(keys), (found) => {
      const entries = found.map((entry, at) =>
        entry === undefined ? this.#getFirstForm(keys[at]!) : this.#entries.of(keys[at]!, entry)
      );
      return entries.some((entry) => entry instanceof Promise)
        ? Promise.all(entries)
        : entries as (CacheEntry | undefined)[];
    });
  }

  /**
   * Stores an entry.
   *
   * @returns `false` when it is too large.
   * @throws {CacheError} `"backend"` when the disk does not take it; the key is a miss then.
   */
  set(key: string, entry: CacheEntry, options?: Placement): MaybePromise<boolean> {
    const frame = entry.encode();
    const { cost } = entry;
    const placement = cost === undefined ? options : { ...options, cost };
    if (!(frame instanceof Promise) && this.#isSmall(key, frame) && this.#firstForm === undefined) {
      if (this.#pending.size > 0) this.#pending.delete(key);
      return this.#putSmall(key, frame, entry.expiresAt, placement);
    }
    return this.#setLater(key, frame, entry.expiresAt, placement);
  }

  /** Removes an entry. @returns whether a live one was there. */
  delete(key: string): MaybePromise<boolean> {
    const wasPending = this.#pending.delete(key);
    const older = this.#firstForm?.supersede(key) ?? false;
    return andThen(
      this.#log.delete(key),
      (wasLive) => andThen(older, (wasOlder) => wasLive || wasOlder || wasPending),
    );
  }

  /** Whether there is a live entry. */
  has(key: string): MaybePromise<boolean> {
    if (this.#log.has(key)) return true;
    if (this.#firstForm === undefined) return false;
    return this.#firstForm.get(key).then((entry) => entry !== undefined || this.#log.has(key));
  }

  /** Removes the entries that match, or all. @returns how many of them were live. */
  async clear(matches: ((key: string) => boolean) | undefined): Promise<number> {
    await this.#migrated();
    let count = 0;
    for (const key of [...this.#pending.keys()]) {
      if (matches?.(key) === false) continue;
      this.#pending.delete(key);
      if (!this.#log.has(key)) count++;
    }
    return count + await this.#log.clear(matches);
  }

  /** The keys of live entries that match. */
  async *keys(matches: (key: string) => boolean): AsyncGenerator<string> {
    await this.#migrated();
    for await (const key of this.#log.keys()) if (matches(key)) yield key;
  }

  /** What the log holds; frames of another version count as damaged. */
  stats(): SegmentLogStats {
    const stats = this.#log.stats();
    return { ...stats, corruptions: stats.corruptions + this.#entries.foreignFrames };
  }

  /** Where locks of the same directory are kept. */
  get lockHost(): LockHost {
    return this.#log;
  }

  /** Sees at once what other processes did. */
  refresh(): void {
    this.#log.refresh();
  }

  /** Resolves when what was acknowledged is as safe as `durability` says. */
  flush(): Promise<void> {
    return this.#log.flush();
  }

  /** Ends what runs in the background, and writes what waits. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelSweep?.();
    this.#firstForm?.stop();
    await Promise.all([this.#sweeping, this.#migrating]);
    await this.#files.settled();
    await this.#log.close();
    await this.#files.settled();
  }

  #begin(firstForm: { readonly base: string; readonly disk: Disk } | undefined): void {
    this.#sweeping = this.#sweep();
    if (firstForm === undefined) return;
    const migration = new FirstForm(firstForm.base, firstForm.disk, this.#context, {
      has: (key) => this.#pending.has(key) || this.#log.has(key),
      take: (key, frame, expiresAt) => this.#put(key, frame, expiresAt),
      release: (bytes) => this.#log.release(bytes),
    });
    this.#firstForm = migration;
    this.#migrating = migration.migrate().then(() => {
      this.#firstForm = undefined;
    });
  }

  /**
   * Removes files that nothing refers to: dead processes left them, or two that
   * replaced one value at the same time. Soon again where some may be of a
   * write that is under way.
   */
  async #sweep(): Promise<void> {
    const { clock, report } = this.#context;
    let isSomeYoung = false;
    try {
      isSomeYoung = await this.#files.sweep(() => {
        this.#log.refresh();
        return this.#log.references();
      }, clock);
    } catch (error) {
      report({ kind: "error", error });
    }
    if (this.#isClosed) return;
    this.#cancelSweep = clock.schedule(
      () => {
        this.#sweeping = this.#sweep();
      },
      isSomeYoung ? ORPHAN_AGE_MS : SWEEP_INTERVAL_MS,
    );
  }

  async #migrated(): Promise<void> {
    await this.#migrating;
  }

  #getFirstForm(key: string): MaybePromise<CacheEntry | undefined> {
    const firstForm = this.#firstForm;
    if (firstForm === undefined) return undefined;
    return firstForm.get(key).then(async (entry) => {
      if (entry !== undefined) return entry;
      // It may have come into the log meanwhile.
      const found = await this.#log.get(key);
      return found && this.#entries.of(key, found);
    });
  }

  #isSmall(key: string, frame: Uint8Array): boolean {
    return frame.length <= this.#maxInlineBytes && frame.length <= this.#log.maxFrameBytes(key);
  }

  #put(key: string, frame: Uint8Array, expiresAt: number): MaybePromise<boolean> {
    return this.#isSmall(key, frame)
      ? this.#putSmall(key, frame, expiresAt)
      : this.#setLater(key, frame, expiresAt, undefined, false);
  }

  #putSmall(
    key: string,
    frame: Uint8Array,
    expiresAt: number,
    placement?: Place,
  ): MaybePromise<boolean> {
    const stored = this.#log.put(key, frame, expiresAt, placement);
    if (stored === true) return true;
    return andThen(stored, (isStored) => {
      if (!isStored) throw notTaken(key);
      return true;
    });
  }

  /**
   * Stores what has to wait for something. A change of the key that begins
   * meanwhile takes its place: it is as if this one had been first.
   */
  async #setLater(
    key: string,
    encoding: MaybePromise<Uint8Array>,
    expiresAt: number,
    placement?: Place,
    isNew = true,
  ): Promise<boolean> {
    const turn = Symbol();
    this.#pending.set(key, turn);
    const isCurrent = (): boolean => this.#pending.get(key) === turn;
    try {
      const frame = await encoding;
      if (isNew) await this.#firstForm?.supersede(key);
      if (!isCurrent()) return true;
      return this.#isSmall(key, frame)
        ? await this.#putSmall(key, frame, expiresAt, placement)
        : await this.#putLarge(key, frame, expiresAt, isCurrent, placement);
    } finally {
      if (isCurrent()) this.#pending.delete(key);
    }
  }

  /** Writes a file, then the reference to it. */
  #putLarge(
    key: string,
    frame: Uint8Array,
    expiresAt: number,
    isCurrent: () => boolean,
    placement: Place | undefined,
  ): Promise<boolean> {
    return this.#files.inTurn(async () => {
      if (!isCurrent()) return true;
      const { file, body } = newFile(frame.length);
      let outcome: boolean | undefined;
      try {
        const isOver = expiresAt <= this.#context.clock.now();
        if (isOver || this.#log.maxFrameBytes(key) < body.length) return isOver;
        outcome = await this.#files.withRoom(file.bytes, async () => {
          await this.#files.write(file, frame);
          const isWanted = isCurrent();
          const reference = { body, fileBytes: file.bytes, placement };
          const isStored = isWanted && await this.#log.putReference(key, reference, expiresAt);
          if (!isStored) this.#files.remove(file);
          return isStored || !isWanted;
        });
      } finally {
        // Nor may the older value stand for one that was acknowledged because this one took its place.
        if (outcome === undefined && isCurrent()) await this.#log.delete(key);
      }
      if (outcome === true) return true;
      if (outcome === undefined && this.#log.stats().health === "healthy") {
        tellNoRoom(this.#log, this.#context, key, file.bytes);
        return false;
      }
      throw notTaken(key);
    });
  }
}
