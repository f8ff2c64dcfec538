import type { Probation } from "../../../src/eviction/probation.ts";
import { EntryIndex, MAX_SEGMENTS, NO_SEGMENT } from "./index.ts";
import {
  BLOCK_BYTES,
  KIND_GENERATION,
  KIND_REFERENCE,
  KIND_TOMBSTONE,
  type RecordHeader,
} from "./record.ts";
import type { Place } from "./reference.ts";
import type { Holder } from "./segment.ts";

/** A get may return it, and the policy knows it. */
export const VISIBLE = 1;
/** It was read since it was written or carried over. */
export const HOT = 2;
/** Its record names a file. */
export const REFERENCE = 4;
/** Its record is a tombstone. */
export const TOMBSTONE = 8;

/**
 * Which record of each key is the newest, which of them a get may return, and
 * how many older ones lie about in which segment. Knows no files.
 *
 * An entry stays in the index as long as any record of its key is in any
 * segment, also when it is deleted, evicted or expired: only so is it known
 * whether a tombstone is still needed.
 */
export class Catalog {
  readonly index: EntryIndex = new EntryIndex();
  /** Bytes of all visible entries, files that they name included. */
  liveBytes = 0;
  /** Number of visible entries. */
  liveEntries = 0;
  /** The newest generation: records up to this stamp are no more. */
  generation = 0;
  /** Grows when all slots become invalid. */
  epoch = 0;
  evictions = 0;
  expirations = 0;
  /** Whether the record of the last {@linkcode Catalog.evict} names a file. */
  isEvictedReference = false;
  /**
   * Is told of each reference of this process that is about to give way to
   * what another has written without knowing of it.
   */
  onOvertaken: (slot: number) => void = () => {};
  readonly #policy: Probation;
  readonly #maxEntries: number;
  readonly #author: number;
  readonly #holders: (Holder | undefined)[] = [];
  readonly #blocks = new Map<number, number>();
  #lastId = 0;

  /** @param author of this process's records. */
  constructor(policy: Probation, maxEntries: number, author: number) {
    this.#policy = policy;
    this.#maxEntries = maxEntries;
    this.#author = author;
  }

  /** What has a number in the index. */
  holder(id: number): Holder | undefined {
    return this.#holders[id];
  }

  /** Hands out a number for a holder. @throws {RangeError} when all are taken. */
  freeId(): number {
    for (let tries = 0; tries < MAX_SEGMENTS; tries++) {
      this.#lastId = (this.#lastId + 1) % MAX_SEGMENTS;
      if (this.#holders[this.#lastId] === undefined) return this.#lastId;
    }
    throw new RangeError(`Cannot open segment: ${MAX_SEGMENTS} are open already`);
  }

  /** Makes a holder known under its number. */
  attach(holder: Holder): void {
    this.#holders[holder.id] = holder;
  }

  /** The slot of a key, -1 when no segment has a record of it. */
  find(low: number, high: number): number {
    return this.index.find(low, high);
  }

  isVisible(slot: number): boolean {
    return (this.index.flags(slot) & VISIBLE) !== 0;
  }

  /**
   * Takes note of a record, in whatever order records come.
   *
   * @returns its slot; -1 when it is a generation or older than one.
   */
  apply(
    header: RecordHeader,
    length: number,
    holder: Holder,
    offset: number,
    now: number,
    placement?: Place,
  ): number {
    if (header.kind === KIND_GENERATION || header.stamp <= this.generation) return -1;
    const { index } = this;
    let slot = index.find(header.hashLow, header.hashHigh);
    if (slot < 0) {
      slot = index.insert(header.hashLow, header.hashHigh);
    } else {
      const difference = header.stamp - index.stamp(slot) || header.author - index.author(slot);
      if (difference === 0) {
        this.#applyCopy(slot, header, length, holder, offset, now);
        return slot;
      }
      if (difference < 0) {
        index.addRecords(slot, 1);
        holder.slots.push(slot);
        return slot;
      }
    }
    index.addRecords(slot, 1);
    holder.slots.push(slot);
    const wasVisible = this.isVisible(slot);
    if (header.author !== this.#author) this.#overtake(slot);
    if (wasVisible) this.#discount(slot);
    else this.#discountTombstone(slot);
    index.setOrder(slot, header.stamp, header.author);
    index.setExpires(slot, header.expires);
    index.setPlace(slot, holder.id, offset);
    index.setLength(slot, length);
    if (header.kind === KIND_TOMBSTONE || header.expires <= now) {
      if (wasVisible) this.#policy.remove(slot);
      index.setFlags(slot, header.kind === KIND_TOMBSTONE ? TOMBSTONE : 0);
      if (header.kind === KIND_TOMBSTONE) holder.tombstoneBytes += length;
    } else {
      if (wasVisible) {
        if (!placement?.probation) this.#policy.touch(slot);
        this.#reshow(slot, header, holder, placement?.cost);
      } else {
        this.#show(slot, header, holder, placement);
      }
    }
    return slot;
  }

  /** Counts a read. */
  touch(slot: number): void {
    const flags = this.index.flags(slot);
    if ((flags & HOT) === 0) this.index.setFlags(slot, flags | HOT);
    this.#policy.touch(slot);
  }

  /** Makes an entry a miss without forgetting its record. */
  hide(slot: number): void {
    if (!this.isVisible(slot)) return;
    this.#policy.remove(slot);
    this.#conceal(slot);
  }

  /** Whether entries must leave for `room` more bytes within `maxLiveBytes`, or for the limit on entries. */
  isOver(maxLiveBytes: number): boolean {
    return this.liveBytes > maxLiveBytes || this.liveEntries > this.#maxEntries;
  }

  /**
   * Makes the policy's victim a miss; its record can still be read.
   *
   * @returns its slot, -1 when there is none.
   */
  evict(): number {
    const slot = this.#policy.evict();
    if (slot >= 0) {
      this.evictions++;
      this.isEvictedReference = (this.index.flags(slot) & REFERENCE) !== 0;
      this.#conceal(slot);
    }
    return slot;
  }

  /** Whether what is known of a slot is what a restart would find. */
  isSettled(slot: number): boolean {
    return this.isVisible(slot) || (this.index.flags(slot) & TOMBSTONE) !== 0;
  }

  /** A record has been copied, or written out: the copy counts from now on. */
  move(slot: number, to: Holder, offset: number): void {
    const { index } = this;
    if (this.isVisible(slot)) {
      const from = this.#holders[index.segment(slot)];
      if (from !== undefined) from.liveBytes -= index.length(slot);
      to.liveBytes += index.length(slot);
    } else if ((index.flags(slot) & TOMBSTONE) !== 0) {
      this.#discountTombstone(slot);
      to.tombstoneBytes += index.length(slot);
    }
    index.setPlace(slot, to.id, offset);
  }

  /** Counts a record that has been written again, as what the catalog knows already. */
  addCopy(slot: number, to: Holder): void {
    this.index.addRecords(slot, 1);
    to.slots.push(slot);
  }

  /** First half of dropping a holder: its records do not count any more, so that what is left tells which tombstones are needed. */
  discountRecords(holder: Holder): void {
    for (let at = 0; at < holder.slots.length; at++) this.index.addRecords(holder.slots.at(at), -1);
  }

  /** Takes {@linkcode Catalog.discountRecords} back. */
  recountRecords(holder: Holder): void {
    for (let at = 0; at < holder.slots.length; at++) this.index.addRecords(holder.slots.at(at), 1);
  }

  /** Second half: entries that are nowhere else become misses, and what has no record left is forgotten. */
  detach(holder: Holder): void {
    const { index } = this;
    for (let at = 0; at < holder.slots.length; at++) {
      const slot = holder.slots.at(at);
      if (!index.isUsed(slot)) continue;
      if (index.segment(slot) === holder.id) {
        if (this.isVisible(slot)) {
          this.evictions++;
          this.hide(slot);
        }
        index.setPlace(slot, NO_SEGMENT, 0);
        index.setFlags(slot, 0);
      }
      if (index.segment(slot) === NO_SEGMENT && index.records(slot) === 0) index.remove(slot);
    }
    holder.forgetSlots();
    this.#holders[holder.id] = undefined;
  }

  /** Forgets everything older than a generation that this process makes: all there is. */
  clear(generation: number): void {
    this.generation = generation;
    this.epoch++;
    this.index.clear();
    this.#policy.clear();
    this.#blocks.clear();
    this.liveBytes = 0;
    this.liveEntries = 0;
    for (const holder of this.#holders) holder?.forgetSlots();
  }

  /** Hides everything older than a generation that was met. */
  observeGeneration(generation: number): void {
    if (generation <= this.generation) return;
    this.generation = generation;
    for (let slot = 0; slot < this.index.slots; slot++) {
      if (!this.index.isUsed(slot) || this.index.stamp(slot) > generation) continue;
      this.#overtake(slot);
      this.hide(slot);
    }
  }

  /** Bytes that an entry counts for. */
  weight(slot: number): number {
    return this.index.length(slot) + (this.#blocks.get(slot) ?? 0) * BLOCK_BYTES;
  }

  #applyCopy(
    slot: number,
    header: RecordHeader,
    length: number,
    holder: Holder,
    offset: number,
    now: number,
  ): void {
    const { index } = this;
    const wasNowhere = index.segment(slot) === NO_SEGMENT;
    index.addRecords(slot, 1);
    holder.slots.push(slot);
    if (header.kind === KIND_TOMBSTONE) {
      // What was evicted elsewhere while older records of it lie about.
      this.hide(slot);
      this.#discountTombstone(slot);
      index.setFlags(slot, TOMBSTONE);
      index.setLength(slot, length);
      index.setPlace(slot, holder.id, offset);
      holder.tombstoneBytes += length;
    } else if ((index.flags(slot) & TOMBSTONE) === 0) {
      this.move(slot, holder, offset);
      index.setLength(slot, length);
      // Its segment was seen to go before the one that it had been carried over to was seen.
      if (wasNowhere && index.expires(slot) > now) this.#show(slot, header, holder);
    }
  }

  #overtake(slot: number): void {
    const isReference = (this.index.flags(slot) & REFERENCE) !== 0;
    if (isReference && this.index.author(slot) === this.#author) this.onOvertaken(slot);
  }

  #reshow(slot: number, header: RecordHeader, holder: Holder, cost: number | undefined): void {
    this.index.setFlags(slot, header.kind === KIND_REFERENCE ? VISIBLE | REFERENCE : VISIBLE);
    if (header.blocks > 0) this.#blocks.set(slot, header.blocks);
    this.#policy.reweigh(slot, this.#count(slot, holder), cost);
  }

  #show(slot: number, header: RecordHeader, holder: Holder, placement?: Place): void {
    this.index.setFlags(slot, header.kind === KIND_REFERENCE ? VISIBLE | REFERENCE : VISIBLE);
    if (header.blocks > 0) this.#blocks.set(slot, header.blocks);
    const weight = this.#count(slot, holder);
    if (placement?.probation) this.#policy.addProbation(slot, weight, header.hashLow);
    else this.#policy.add(slot, weight, header.hashLow, placement?.cost);
  }

  #count(slot: number, holder: Holder): number {
    const weight = this.weight(slot);
    this.liveBytes += weight;
    this.liveEntries++;
    holder.liveBytes += this.index.length(slot);
    return weight;
  }

  #discount(slot: number): void {
    this.liveBytes -= this.weight(slot);
    this.liveEntries--;
    const holder = this.#holders[this.index.segment(slot)];
    if (holder !== undefined) holder.liveBytes -= this.index.length(slot);
    if (this.#blocks.size > 0) this.#blocks.delete(slot);
  }

  #discountTombstone(slot: number): void {
    if ((this.index.flags(slot) & TOMBSTONE) === 0) return;
    const holder = this.#holders[this.index.segment(slot)];
    if (holder !== undefined) holder.tombstoneBytes -= this.index.length(slot);
  }

  #conceal(slot: number): void {
    this.#discount(slot);
    this.index.setFlags(slot, 0);
  }
}
