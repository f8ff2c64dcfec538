import { setImmediate } from "node:timers/promises";
import type { MaybePromise } from "../../../src/maybe_promise.ts";
import { maxRecordLength } from "./batch.ts";
import { TOMBSTONE } from "./catalog.ts";
import type { LogCore } from "./core.ts";
import type { OpenedCore } from "./open_core.ts";
import type { Reader } from "./reader.ts";
import { appendGeneration, appendTo, appendTombstone } from "./reclaim.ts";
import { BLOCK_BYTES, KIND_TOMBSTONE, makeRecordHeader, type RecordHeader } from "./record.ts";
import type { Place } from "./reference.ts";
import type { Space } from "./space.ts";
import type { WriteQueue } from "./write_queue.ts";

/** The most bytes of one record: so many always fit beside what is carried over into a new segment. */
export function largestRecord({ segmentBytes }: LogCore): number {
  return segmentBytes >>> 2;
}

/** Puts, deletes, clears and evicts: everything that lays records into the queue. */
export class LogWriter {
  readonly #core: LogCore;
  readonly #queue: WriteQueue;
  readonly #reader: Reader;
  readonly #space: Space;
  readonly #onDrop: (body: Uint8Array) => void;
  readonly #header: RecordHeader = makeRecordHeader();

  /**
   * @param onDrop is given the body of each reference that is gone.
   */
  constructor({ core, queue, reader, space }: OpenedCore, onDrop: (body: Uint8Array) => void) {
    this.#core = core;
    this.#queue = queue;
    this.#reader = reader;
    this.#space = space;
    this.#onDrop = onDrop;
  }

  /**
   * Lays a tombstone into the queue where one is needed.
   *
   * @param isShared whether others write too: what they have put may still be on its way to the disk.
   * @returns whether a live entry was there, and when its end is written.
   */
  delete(
    key: string,
    isShared: boolean,
  ): { readonly wasLive: boolean; readonly written?: Promise<boolean> } {
    const { hash, catalog, clock } = this.#core;
    hash.of(key);
    const slot = catalog.find(hash.low, hash.high);
    const isGone = slot < 0 || (catalog.index.flags(slot) & TOMBSTONE) !== 0;
    if (isGone && !isShared) return { wasLive: false };
    const wasLive = slot >= 0 && catalog.isVisible(slot) &&
      catalog.index.expires(slot) > clock.now();
    return { wasLive, written: this.#entomb(slot) };
  }

  /**
   * Lays an entry into the queue.
   *
   * @param fileBytes of the file that a reference names, else 0.
   * @returns whether it is stored, as soon as that can be told.
   */
  put(
    kind: number,
    key: string,
    body: Uint8Array,
    expiresAt: number,
    fileBytes: number,
    placement?: Place,
  ): MaybePromise<boolean> {
    const { hash, catalog, clock, stamps, counters, health } = this.#core;
    hash.of(key);
    const { low, high } = hash;
    const previous = catalog.find(low, high);
    const isTooLarge = maxRecordLength(key.length, body.length) > largestRecord(this.#core);
    if (isTooLarge || this.#queue.isOverfull || !health.canWrite()) {
      return this.#decline(previous, isTooLarge);
    }
    const batch = this.#queue.batchFor(key.length, body.length);
    this.#dropReference(previous, batch.afterwards);
    const header = this.#header;
    header.kind = kind;
    header.stamp = stamps.next();
    header.expires = expiresAt;
    header.hashLow = low;
    header.hashHigh = high;
    header.author = this.#core.author;
    header.blocks = Math.ceil(fileBytes / BLOCK_BYTES);
    const offset = batch.used;
    const length = batch.append(header, key, body);
    catalog.apply(header, length, batch, offset, clock.recent(), placement);
    batch.offsets.push(offset);
    counters.bytesPut += length;
    const outcome = previous >= 0 || this.#core.durability === "batch"
      ? this.#queue.prompt(batch)
      : this.#queue.linger(batch);
    // After that: what goes may fill the batch, which is then written and used for others.
    this.evict();
    return outcome;
  }

  /** Does not store an entry; what the key had is gone all the same. */
  #decline(previous: number, canWrite: boolean): MaybePromise<boolean> {
    if (previous < 0) return false;
    const { catalog } = this.#core;
    if (canWrite && this.#core.health.canWrite()) {
      return this.#entomb(previous).then(() => false);
    }
    catalog.hide(previous);
    this.#queue.owe(previous);
    return false;
  }

  /** Writes a tombstone for the key that was hashed last. */
  #entomb(slot: number): Promise<boolean> {
    const { hash, stamps } = this.#core;
    const header = this.#header;
    header.hashLow = hash.low;
    header.hashHigh = hash.high;
    const batch = this.#queue.batchFor(0, 0);
    this.#dropReference(slot, batch.afterwards);
    header.kind = KIND_TOMBSTONE;
    header.stamp = stamps.next();
    header.expires = 0;
    header.author = this.#core.author;
    header.blocks = 0;
    this.#core.counters.bytesPut += appendTo(this.#core, batch, header);
    return this.#queue.prompt(batch);
  }

  /** Makes an entry a miss whose time is over. */
  expire(slot: number): void {
    this.#core.catalog.expirations++;
    // The expiry stands in the record; but of a reference the file goes, and a clock may go back.
    if (this.#reader.isReference(slot)) this.bury(slot);
    else this.#core.catalog.hide(slot);
  }

  /** Makes an entry a miss, also after a restart. */
  bury(slot: number): void {
    const batch = this.#queue.batchFor(0, 0);
    this.#dropReference(slot, batch.afterwards);
    appendTombstone(this.#core, batch, slot);
    void this.#queue.linger(batch);
  }

  /** Lets entries go until the limits are kept. */
  evict(): void {
    const { catalog } = this.#core;
    const { maxLiveBytes } = this.#space;
    let count = 0;
    while (catalog.isOver(maxLiveBytes)) {
      const slot = catalog.evict();
      if (slot < 0) break;
      count++;
      if (!catalog.isEvictedReference) continue;
      const body = this.#reader.bodyOf(slot);
      const batch = this.#queue.batchFor(0, 0);
      appendTombstone(this.#core, batch, slot);
      if (body !== undefined) batch.afterwards.push(() => this.#onDrop(body));
      void this.#queue.linger(batch);
    }
    if (count > 0) this.#core.report({ kind: "evict", count });
  }

  #dropReference(slot: number, afterwards: (() => void)[]): void {
    if (slot < 0 || !this.#reader.isReference(slot)) return;
    const body = this.#reader.bodyOf(slot);
    if (body !== undefined) afterwards.push(() => this.#onDrop(body));
  }

  /** Removes all entries. @returns how many live ones there were. */
  async clearAll(): Promise<number> {
    const { catalog, stamps, clock } = this.#core;
    const { index } = catalog;
    const now = clock.now();
    const batch = this.#queue.batchFor(0, 0);
    let count = 0;
    for (let slot = 0; slot < index.slots; slot++) {
      if (!index.isUsed(slot) || !catalog.isVisible(slot)) continue;
      if (index.expires(slot) > now) count++;
      this.#dropReference(slot, batch.afterwards);
    }
    const stamp = stamps.next();
    catalog.clear(stamp);
    this.#queue.owed.clear();
    this.#core.counters.bytesPut += appendGeneration(batch, stamp);
    if (!await this.#queue.prompt(batch)) this.#queue.owesGeneration = true;
    return count;
  }

  /** Removes the entries whose key matches. @returns how many live ones there were. */
  async clearMatching(matches: (key: string) => boolean): Promise<number> {
    const { catalog, hash, stamps, clock } = this.#core;
    const { index } = catalog;
    const began = stamps.next();
    let count = 0;
    let written: Promise<boolean> | undefined;
    for (const chunk of this.#reader.keyChunks()) {
      const now = clock.now();
      for (const [key, slot] of chunk) {
        if (index.stamp(slot) > began || !matches(key)) continue;
        hash.of(key);
        // A record whose hash is another key's by chance stays.
        if (catalog.find(hash.low, hash.high) !== slot) continue;
        if (index.expires(slot) > now) count++;
        written = this.#entomb(slot);
      }
      await setImmediate();
    }
    await written;
    return count;
  }
}
