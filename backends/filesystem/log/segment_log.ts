import { setImmediate } from "node:timers/promises";
import type { MaybePromise } from "../../../src/maybe_promise.ts";
import { maxRecordLength } from "./batch.ts";
import { closedError, type LogCore, reportError } from "./core.ts";
import type { SegmentLogOptions } from "./log_options.ts";
import { type SegmentLogStats, statsOf } from "./log_stats.ts";
import { largestRecord, LogWriter } from "./log_writer.ts";
import { lostError } from "./directory_watch.ts";
import { openCore, type OpenedCore } from "./open_core.ts";
import type { Reader, StoredEntry } from "./reader.ts";
import { KIND_REFERENCE, KIND_VALUE } from "./record.ts";
import type { Place, Reference } from "./reference.ts";
import { retire } from "./retire.ts";
import type { SegmentSet } from "./segment_set.ts";
import { blocksOf } from "./segment.ts";
import type { Space } from "./space.ts";
import type { WriteQueue } from "./write_queue.ts";

/** How long room is waited for that others may give back, in milliseconds. */
const WAIT_MS = 5;

/**
 * An append-only log of cache entries in segment files, shared by any number
 * of processes. Small values are in it; for large ones it has a reference to a
 * file of their own.
 *
 * Whatever one process has written is seen by every use of the log in another
 * process that begins `pollMs` later, and by every use after a
 * {@linkcode SegmentLog.refresh} there.
 */
export class SegmentLog {
  readonly #path: string;
  readonly #options: SegmentLogOptions;
  readonly #pollMs: number;
  #opened!: OpenedCore;
  #core!: LogCore;
  #set!: SegmentSet;
  #space!: Space;
  #queue!: WriteQueue;
  #reader!: Reader;
  #writer!: LogWriter;
  #lookedAt!: number;
  /** The directory is gone and could not be made again. */
  #isStranded = false;
  #isClosed = false;

  private constructor(path: string, options: SegmentLogOptions) {
    this.#path = path;
    this.#options = options;
    this.#pollMs = options.pollMs ?? 100;
    this.#adopt(openCore(path, options));
  }

  /**
   * Opens a directory, and makes it if it is not there.
   *
   * @throws {RangeError} for options that cannot be kept.
   * @throws {CacheError} `"unavailable"` when the directory cannot be made or read.
   */
  static async open(directory: string, options: SegmentLogOptions): Promise<SegmentLog> {
    const log = new SegmentLog(directory, options);
    await log.#settle();
    return log;
  }

  /** The directory in use: the one that was given, or one below it where that has another format. */
  get directory(): string {
    return this.#core.directory.path;
  }

  /** What it works with right now, for what works in the same directory. */
  get core(): LogCore {
    return this.#core;
  }

  /** The most bytes that the frame of a key may have to be put; a larger one is put as a reference. */
  maxFrameBytes(key: string): number {
    return largestRecord(this.#core) - maxRecordLength(key.length, 0);
  }

  /** The most bytes that a file beside the log may have. */
  get maxFileBytes(): number {
    return this.#space.maxLiveBytes;
  }

  /** Reads an entry. Never throws, and rejects never. */
  get(key: string): MaybePromise<StoredEntry | undefined> {
    if (this.#isClosed) return undefined;
    this.#look();
    if (!this.#core.health.canRead()) return undefined;
    const slot = this.#use(key);
    if (slot < 0) return undefined;
    const found = this.#reader.read(slot, key);
    if (found === undefined) return this.#readAgain(key);
    return found instanceof Promise ? found.then((entry) => entry ?? this.#readAgain(key)) : found;
  }

  /** Reads many entries, neighbours on the disk at once; the result has the order of `keys`. */
  getMany(keys: readonly string[]): MaybePromise<(StoredEntry | undefined)[]> {
    if (this.#isClosed) return keys.map(() => undefined);
    this.#look();
    if (!this.#core.health.canRead()) return keys.map(() => undefined);
    const slots = keys.map((key) => this.#use(key));
    const found = this.#reader.readMany(slots, keys);
    const retry = (entries: (StoredEntry | undefined)[]): (StoredEntry | undefined)[] =>
      entries.map((entry, at) => entry ?? (slots[at]! < 0 ? entry : this.#readAgain(keys[at]!)));
    return found instanceof Promise ? found.then(retry) : retry(found);
  }

  /** Whether {@linkcode SegmentLog.get} would find an entry. */
  has(key: string): boolean {
    if (this.#isClosed) return false;
    this.#look();
    const { hash, catalog, clock } = this.#core;
    hash.of(key);
    const slot = catalog.find(hash.low, hash.high);
    return slot >= 0 && catalog.isVisible(slot) && catalog.index.expires(slot) > clock.recent();
  }

  /**
   * Stores a frame in place of whatever the key has. It can be read at once.
   *
   * Of a new key, `true` comes at once unless `durability` is `"batch"`, and
   * the record is written within some milliseconds; in place of another, and
   * with `"batch"`, it comes once the record is written or durable, so that
   * what was replaced never comes back.
   *
   * @param expiresAt epoch milliseconds.
   * @returns `false` when it is too large or the disk does not take it; the key is a miss then.
   */
  put(key: string, frame: Uint8Array, expiresAt: number, place?: Place): MaybePromise<boolean> {
    this.#assertOpen();
    this.#look();
    return this.#writer.put(KIND_VALUE, key, frame, expiresAt, 0, place);
  }

  /** Stores a reference, as {@linkcode SegmentLog.put} stores a frame. Its file is there, its bytes are reserved. */
  putReference(key: string, reference: Reference, expiresAt: number): MaybePromise<boolean> {
    const { body, fileBytes, placement } = reference;
    this.#assertOpen();
    this.#look();
    return this.#writer.put(KIND_REFERENCE, key, body, expiresAt, fileBytes, placement);
  }

  /**
   * Removes an entry. Resolves when that is written, with `"batch"` when it is durable.
   *
   * @returns whether a live one was there.
   */
  delete(key: string): MaybePromise<boolean> {
    this.#lookBeforeDelete();
    const { wasLive, written } = this.#writer.delete(key, this.#hasOthers);
    return written === undefined ? wasLive : written.then(() => wasLive);
  }

  /** As {@linkcode SegmentLog.delete} for many keys. @returns how many live ones there were. */
  async deleteMany(keys: readonly string[]): Promise<number> {
    this.#lookBeforeDelete();
    const deleted = keys.map((key) => this.#writer.delete(key, this.#hasOthers));
    await Promise.all(deleted.map(({ written }) => written));
    return deleted.filter(({ wasLive }) => wasLive).length;
  }

  /**
   * Removes all entries, or those whose key matches. Resolves when that is
   * written, with `"batch"` when it is durable.
   *
   * @returns the number of live ones removed.
   */
  async clear(matches?: (key: string) => boolean): Promise<number> {
    this.#assertOpen();
    this.refresh();
    if (matches !== undefined) return await this.#writer.clearMatching(matches);
    const count = await this.#writer.clearAll();
    this.#background(() => this.#space.dropDead());
    return count;
  }

  /** The keys of all live entries, in no order. */
  async *keys(): AsyncGenerator<string> {
    this.#look();
    for (const chunk of this.#reader.keyChunks()) {
      for (const [key] of chunk) if (this.has(key)) yield key;
      await setImmediate();
      if (this.#isClosed) return;
    }
  }

  /** The bodies of all references, to find files that none names. */
  references(): Uint8Array[] {
    return this.#reader.references();
  }

  /** Makes a key a miss whose value its reader found damaged, or whose file is gone. */
  forget(key: string): void {
    const { hash, catalog } = this.#core;
    hash.of(key);
    const slot = catalog.find(hash.low, hash.high);
    this.#core.counters.corruptions++;
    if (slot >= 0 && catalog.isVisible(slot)) this.#writer.bury(slot);
  }

  /** Takes room for a file beside the log before it is written. @returns whether there is some. */
  reserve(bytes: number): MaybePromise<boolean> {
    this.#assertOpen();
    if (this.#core.maxBytes === Infinity) return true;
    const wanted = blocksOf(bytes);
    if (this.#space.external.tryTake(wanted)) return true;
    let isReserved = false;
    return this.#queue.enqueue(async () => {
      isReserved = this.#core.health.canWrite() && await this.#space.reserve(wanted);
    }).then(() => isReserved);
  }

  /** Gives back the room of a file that was removed, or never written. */
  release(bytes: number): void {
    if (this.#core.maxBytes === Infinity) return;
    const { external } = this.#space;
    external.allowance += blocksOf(bytes);
    if (external.allowance <= 2 * external.slab || this.#isClosed) return;
    this.#background(() => this.#space.giveBack(external.slab));
  }

  /** Frees bytes of a disk that is full, at the expense of entries. */
  relieve(bytes: number): Promise<void> {
    return this.#queue.enqueue(() => this.#space.relieveFor(bytes));
  }

  /** Waits a moment for room that other processes may give back. @returns `false` at once when none writes. */
  async waitForOthers(): Promise<boolean> {
    if (!this.#hasOthers) return false;
    const { clock } = this.#core;
    await new Promise<void>((resolve) => clock.schedule(resolve, WAIT_MS, true));
    return !this.#isClosed;
  }

  /** Sees at once what other processes have written. */
  refresh(): void {
    if (this.#isClosed) return;
    const { stopwatch, health, watch } = this.#core;
    this.#lookedAt = stopwatch();
    if (!watch.isLost && !health.canRead()) return;
    try {
      if (!watch.isSame()) return this.#beginAnew();
      this.#set.refresh();
      this.#writer.evict();
    } catch (error) {
      health.readFailed(error);
      reportError(this.#core, "Cannot look at segment log", error);
    }
  }

  /** Resolves when all that was acknowledged is written and, unless `durability` is `"none"`, durable. */
  async flush(): Promise<void> {
    if (this.#isClosed) return;
    await this.#queue.enqueue(async () => {
      if (this.#core.durability !== "none") await this.#space.active?.sync();
    });
  }

  /** Writes all that waits, seals the segment and frees what is held. Safe to call twice. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#queue.enqueue(() => {});
    // The last chance to write what the disk is owed.
    this.#core.health.askAgain();
    await this.#queue.enqueue(async () => {
      try {
        await this.#space.payOff();
        await this.#space.sealActive();
        await this.#space.giveBack(0);
        this.#space.close();
      } catch (error) {
        reportError(this.#core, "Cannot close segment log: others take it for killed", error);
      }
    });
    this.#queue.close();
    this.#core.files.closeAll();
    this.#opened.closeDirectory();
  }

  /** What the log holds and has done. */
  stats(): SegmentLogStats {
    return statsOf(this.#opened);
  }

  get #hasOthers(): boolean {
    const own = this.#space.active === undefined ? 0 : 1;
    return this.#set.owners.length > own;
  }

  async #settle(): Promise<void> {
    const { external } = this.#options;
    this.#space.warnOfCrowd();
    this.#writer.evict();
    const hasLeftovers = this.#set.all().some((segment) => segment.hintBytes === 0);
    const isOver = this.#set.claimed > this.#core.maxBytes;
    if (external === undefined && !hasLeftovers && !isOver) return;
    try {
      const measure = external && (() => external.measure(this.directory));
      await this.#queue.enqueue(() => this.#space.settle(measure));
    } catch (error) {
      this.#core.health.writeFailed(error);
      reportError(this.#core, "Cannot tidy segment log", error);
    }
  }

  /** What others have written is to be deleted too, and that takes a later stamp. */
  #lookBeforeDelete(): void {
    this.#assertOpen();
    // Who has been alone so far may be so no more.
    if (this.#hasOthers || !this.#core.watch.isUnchanged()) this.refresh();
    else this.#look();
  }

  #assertOpen(): void {
    if (this.#isClosed) throw closedError();
  }

  /** Looks at the directory when it is time. A reading of the stopwatch costs less than a timer that is missed. */
  #look(): void {
    const { stopwatch, watch } = this.#core;
    const isDue = stopwatch() - this.#lookedAt >= this.#pollMs;
    if (isDue || watch.isLost && !this.#isStranded) this.refresh();
  }

  /** The slot of a key that may be read, counted as a use; -1 for a miss. */
  #use(key: string): number {
    const { hash, catalog, clock } = this.#core;
    hash.of(key);
    const slot = catalog.find(hash.low, hash.high);
    if (slot < 0 || !catalog.isVisible(slot)) return -1;
    if (catalog.index.expires(slot) <= clock.recent()) {
      this.#writer.expire(slot);
      return -1;
    }
    catalog.touch(slot);
    return slot;
  }

  /** Another process may have carried the record elsewhere, and removed the segment it was in. */
  #readAgain(key: string): StoredEntry | undefined {
    if (this.#isClosed || this.#visible(key) < 0) return undefined;
    this.refresh();
    const now = this.#visible(key);
    if (now < 0) return undefined;
    const bytes = this.#reader.record(now);
    return bytes === undefined ? undefined : this.#reader.take(bytes, now, key);
  }

  /** The slot of a key that is no miss as far as is known, else -1. */
  #visible(key: string): number {
    const { catalog, hash } = this.#core;
    hash.of(key);
    const slot = catalog.find(hash.low, hash.high);
    return slot >= 0 && catalog.isVisible(slot) ? slot : -1;
  }

  /** The directory was removed or replaced: what is there now, or is made now, is used from here on. */
  #beginAnew(): void {
    const { core } = this.#opened;
    if (!this.#isStranded) {
      this.#options.report({ kind: "error", error: lostError(core.directory.path) });
      retire(this.#opened).catch((error: unknown) =>
        reportError(core, "Cannot close segment log whose directory is gone", error)
      );
    }
    try {
      this.#adopt(openCore(this.#path, this.#options));
      this.#isStranded = false;
    } catch (error) {
      if (!this.#isStranded) reportError(core, "Cannot begin segment log anew", error);
      this.#isStranded = true;
      return;
    }
    this.#settle().catch((error: unknown) =>
      reportError(this.#core, "Cannot tidy segment log", error)
    );
  }

  #adopt(opened: OpenedCore): void {
    this.#opened = opened;
    this.#core = opened.core;
    this.#set = opened.set;
    this.#space = opened.space;
    this.#queue = opened.queue;
    this.#reader = opened.reader;
    this.#lookedAt = opened.lookedAt;
    this.#writer = new LogWriter(opened, (body) => this.#options.external?.drop(body));
  }

  #background(task: () => Promise<void>): void {
    this.#queue.enqueue(task).catch((error: unknown) => {
      this.#core.health.writeFailed(error);
      reportError(this.#core, "Cannot tidy segment log", error);
    });
  }
}
