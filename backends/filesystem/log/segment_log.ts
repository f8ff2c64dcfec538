import { setImmediate } from "node:timers/promises";
import { CacheError } from "../../../src/errors.ts";
import type { MaybePromise } from "../../../src/maybe_promise.ts";
import { maxRecordLength } from "./batch.ts";
import { type LogCore, reportError } from "./core.ts";
import type { SegmentLogOptions } from "./log_options.ts";
import type { SegmentLogStats } from "./log_stats.ts";
import { largestRecord, LogWriter } from "./log_writer.ts";
import { openCore, type OpenedCore } from "./open_core.ts";
import type { Reader, StoredEntry } from "./reader.ts";
import { BLOCK_BYTES, KIND_REFERENCE, KIND_VALUE } from "./record.ts";
import type { SegmentSet } from "./segment_set.ts";
import { blocksOf } from "./segment.ts";
import type { Space } from "./space.ts";
import type { WriteQueue } from "./write_queue.ts";

/** How long room is waited for that others may give back, in milliseconds. */
const WAIT_MS = 5;

/** A value of which the log keeps only the name of its file. */
export interface Reference {
  /** Names the file, in whatever way its owner likes; kept as it is. */
  readonly body: Uint8Array;
  /** Bytes of the file. */
  readonly fileBytes: number;
}

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
  readonly #core: LogCore;
  readonly #set: SegmentSet;
  readonly #space: Space;
  readonly #queue: WriteQueue;
  readonly #reader: Reader;
  readonly #options: SegmentLogOptions;
  readonly #closeDirectory: () => void;
  readonly #writer: LogWriter;
  readonly #pollMs: number;
  #lookedAt: number;
  #isClosed = false;

  private constructor(opened: OpenedCore, options: SegmentLogOptions) {
    this.#core = opened.core;
    this.#set = opened.set;
    this.#space = opened.space;
    this.#queue = opened.queue;
    this.#reader = opened.reader;
    this.#closeDirectory = opened.closeDirectory;
    this.#options = options;
    this.#writer = new LogWriter(opened, (body) => options.external?.drop(body));
    this.#pollMs = options.pollMs ?? 100;
    this.#lookedAt = this.#core.stopwatch();
  }

  /**
   * Opens a directory, and makes it if it is not there.
   *
   * @throws {RangeError} for options that cannot be kept.
   * @throws {CacheError} `"unavailable"` when the directory cannot be made or read.
   */
  static async open(directory: string, options: SegmentLogOptions): Promise<SegmentLog> {
    const log = new SegmentLog(openCore(directory, options), options);
    await log.#settle();
    return log;
  }

  /** The directory in use: the one that was given, or one below it where that has another format. */
  get directory(): string {
    return this.#core.directory.path;
  }

  /** Whether small values are read asynchronously right now. */
  get isAsync(): boolean {
    return this.#core.meter.isAsync;
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
    if (this.#isClosed || !this.#core.health.canRead()) return undefined;
    this.#look();
    const slot = this.#use(key);
    if (slot < 0) return undefined;
    const found = this.#reader.read(slot, key);
    if (found === undefined) return this.#readAgain(key, slot);
    return found instanceof Promise
      ? found.then((entry) => entry ?? this.#readAgain(key, slot))
      : found;
  }

  /** Reads many entries, neighbours on the disk at once; the result has the order of `keys`. */
  getMany(keys: readonly string[]): MaybePromise<(StoredEntry | undefined)[]> {
    if (this.#isClosed || !this.#core.health.canRead()) return keys.map(() => undefined);
    this.#look();
    const slots = keys.map((key) => this.#use(key));
    const found = this.#reader.readMany(slots, keys);
    const retry = (entries: (StoredEntry | undefined)[]): (StoredEntry | undefined)[] =>
      entries.map((entry, at) => entry ?? this.#readAgain(keys[at]!, slots[at]!));
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
  put(key: string, frame: Uint8Array, expiresAt: number): MaybePromise<boolean> {
    this.#assertOpen();
    this.#look();
    return this.#writer.put(KIND_VALUE, key, frame, expiresAt, 0);
  }

  /** Stores a reference, as {@linkcode SegmentLog.put} stores a frame. Its file is there, its bytes are reserved. */
  putReference(key: string, reference: Reference, expiresAt: number): MaybePromise<boolean> {
    const blocks = Math.ceil(reference.fileBytes / BLOCK_BYTES);
    this.#assertOpen();
    this.#look();
    return this.#writer.put(KIND_REFERENCE, key, reference.body, expiresAt, blocks);
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
    const { catalog } = this.#core;
    const bodies: Uint8Array[] = [];
    for (let slot = 0; slot < catalog.index.slots; slot++) {
      const body = catalog.index.isUsed(slot) && this.#reader.isReference(slot)
        ? this.#reader.bodyOf(slot)
        : undefined;
      if (body !== undefined) bodies.push(body);
    }
    return bodies;
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
    const { stopwatch, health } = this.#core;
    this.#lookedAt = stopwatch();
    if (!health.canRead()) return;
    try {
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
    this.#closeDirectory();
  }

  /** What the log holds and has done. */
  stats(): SegmentLogStats {
    const { catalog, counters, health, meter } = this.#core;
    let indexBytes = catalog.index.bytes;
    for (const segment of this.#set.all()) indexBytes += segment.slots.bytes;
    return {
      entries: catalog.liveEntries,
      liveBytes: catalog.liveBytes,
      diskBytes: this.#set.claimed + this.#space.external.total,
      segments: this.#set.size,
      indexBytes,
      queuedBytes: this.#queue.waitingBytes,
      evictions: catalog.evictions,
      expirations: catalog.expirations,
      corruptions: counters.corruptions,
      segmentsReclaimed: counters.segmentsReclaimed,
      writeAmplification: counters.bytesPut === 0
        ? 1
        : 1 + counters.bytesCarried / counters.bytesPut,
      health: health.state,
      isAsync: meter.isAsync,
    };
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
    if (this.#hasOthers) this.refresh();
    else this.#look();
  }

  #assertOpen(): void {
    if (this.#isClosed) {
      throw new CacheError("closed", "Cannot use segment log: it is closed", {
        backend: "filesystem",
      });
    }
  }

  /** Looks at the directory when it is time. A reading of the stopwatch costs less than a timer that is missed. */
  #look(): void {
    if (this.#core.stopwatch() - this.#lookedAt >= this.#pollMs) this.refresh();
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
  #readAgain(key: string, slot: number): StoredEntry | undefined {
    const { catalog, hash } = this.#core;
    if (slot < 0 || this.#isClosed || !catalog.isVisible(slot)) return undefined;
    this.refresh();
    hash.of(key);
    const now = catalog.find(hash.low, hash.high);
    if (now < 0 || !catalog.isVisible(now)) return undefined;
    const bytes = this.#reader.record(now);
    return bytes === undefined ? undefined : this.#reader.take(bytes, now, key);
  }

  #background(task: () => Promise<void>): void {
    this.#queue.enqueue(task).catch((error: unknown) => {
      this.#core.health.writeFailed(error);
      reportError(this.#core, "Cannot tidy segment log", error);
    });
  }
}
