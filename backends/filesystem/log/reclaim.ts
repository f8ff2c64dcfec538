import { type Batch, maxRecordLength } from "./batch.ts";
import { type Catalog, HOT, REFERENCE, VISIBLE } from "./catalog.ts";
import { type LogCore, reportCorrupt } from "./core.ts";
import { readFully } from "./file_layer.ts";
import {
  bodyOffset,
  isBodyIntact,
  KIND_GENERATION,
  KIND_TOMBSTONE,
  makeRecordHeader,
  readHeader,
  type RecordHeader,
} from "./record.ts";
import type { Segment } from "./segment.ts";
import type { SegmentSet } from "./segment_set.ts";
import type { WriteQueue } from "./write_queue.ts";

/** A segment with at least this share of dead records is worth more than the oldest one. */
const WORTHWHILE_DEAD_SHARE = 0.5;
/** The most that is carried over from a segment, as a share of it: so at most 1 / (1 - 0.3) bytes are written for each that is put. */
export const CARRY_SHARE = 0.3;

/** What is needed to reclaim. */
export interface Reclaimer {
  readonly core: LogCore;
  readonly set: SegmentSet;
  readonly queue: WriteQueue;
  /** Bytes of records that may be carried over into the active segment. */
  readonly room: () => number;
  /** Makes what was carried over durable, as far as the log promises that. */
  readonly sync: () => Promise<void>;
  /** The body of an entry. */
  readonly bodyOf: (slot: number) => Uint8Array | undefined;
  /** Is given the body of each reference that is dropped. */
  readonly onDrop: (body: Uint8Array) => void;
}

/** The segment that should go first: the one with most dead records, if they are half of it, else the oldest. */
export function chooseVictim(set: SegmentSet): Segment | undefined {
  let best: Segment | undefined;
  let oldest: Segment | undefined;
  for (const segment of set.all()) {
    if (!segment.sealed) continue;
    oldest ??= segment;
    if (best === undefined || segment.deadShare > best.deadShare) best = segment;
  }
  return best !== undefined && best.deadShare >= WORTHWHILE_DEAD_SHARE ? best : oldest;
}

/**
 * Removes a segment. Of its live entries those that were read, then the
 * youngest, are carried over as far as `share` of the segment and the room in
 * the active one go; the others are evicted. A tombstone goes along for each
 * key that has older records in other segments, and the generation as long as
 * other segments hold anything older.
 *
 * @throws what the file layer throws; the segment is there then, and misses at worst.
 */
export async function reclaim(with_: Reclaimer, victim: Segment, share: number): Promise<void> {
  const { core, set, queue } = with_;
  const { catalog } = core;
  const { epoch } = catalog;
  catalog.discountRecords(victim);
  try {
    const carried = choose(core, victim, Math.min(share * victim.end, with_.room()));
    await carry(with_, victim, carried, epoch);
    await queue.writePending((batch) => isHiding(catalog, batch, victim));
    await writeGeneration(with_);
    await with_.sync();
  } catch (error) {
    if (catalog.epoch === epoch) catalog.recountRecords(victim);
    throw error;
  }
  set.discard(victim);
  core.counters.segmentsReclaimed++;
}

/**
 * Drops a segment at once if that needs nothing to be written.
 *
 * @returns whether it was dropped.
 */
export function discardIfSimple({ core, set }: Reclaimer, victim: Segment): boolean {
  const { catalog } = core;
  const { index } = catalog;
  if (isGenerationNeeded(set, victim) || catalog.generation > newestGeneration(set)) return false;
  catalog.discountRecords(victim);
  for (let at = 0; at < victim.slots.length; at++) {
    const slot = victim.slots.at(at);
    if (index.records(slot) > 0 || (index.flags(slot) & REFERENCE) !== 0) {
      catalog.recountRecords(victim);
      return false;
    }
  }
  set.discard(victim);
  core.counters.segmentsReclaimed++;
  return true;
}

/** Whether a get may return a record of a segment. */
export function holdsLive({ catalog }: LogCore, { id, slots }: Segment): boolean {
  for (let at = 0; at < slots.length; at++) {
    const slot = slots.at(at);
    if (catalog.index.segment(slot) === id && catalog.isVisible(slot)) return true;
  }
  return false;
}

/** Whether a batch in memory has the newest record of a key of which the segment has an older one: while that is not on disk, the older one is what hides still older ones. */
function isHiding({ index }: Catalog, batch: Batch, victim: Segment): boolean {
  for (let at = 0; at < victim.slots.length; at++) {
    if (index.segment(victim.slots.at(at)) === batch.id) return true;
  }
  return false;
}

/** Everything was cleared, but that is not on disk yet: without it, nothing that hides older records may go. */
async function writeGeneration({ core, set, queue }: Reclaimer): Promise<void> {
  if (core.catalog.generation > newestGeneration(set)) await queue.writePending(() => true);
}

function newestGeneration(set: SegmentSet): number {
  let newest = 0;
  for (const { generation } of set.all()) newest = Math.max(newest, generation);
  return newest;
}

/** The slots whose records are carried over. */
function choose({ catalog, clock }: LogCore, { id, slots }: Segment, budget: number): Set<number> {
  const now = clock.now();
  const { index } = catalog;
  const carried = new Set<number>();
  let left = budget;
  const takeWith = (flags: number): void => {
    // The youngest stand last.
    for (let at = slots.length - 1; at >= 0 && left > 0; at--) {
      const slot = slots.at(at);
      const isWanted = index.segment(slot) === id && (index.flags(slot) & flags) === flags &&
        index.length(slot) <= left && index.expires(slot) > now && !carried.has(slot);
      if (!isWanted) continue;
      carried.add(slot);
      left -= index.length(slot);
    }
  };
  // A reference stands for a whole file, and the policy has weighed it as such.
  takeWith(VISIBLE | REFERENCE);
  takeWith(VISIBLE | HOT);
  takeWith(VISIBLE);
  return carried;
}

async function carry(
  with_: Reclaimer,
  victim: Segment,
  carried: ReadonlySet<number>,
  epoch: number,
): Promise<void> {
  const { core, set, queue } = with_;
  const { catalog } = core;
  const { index } = catalog;
  const writer = new CarryWriter(queue);
  const header = makeRecordHeader();
  const isHere = (slot: number): boolean =>
    catalog.epoch === epoch && index.segment(slot) === victim.id;
  try {
    for (let at = 0; at < victim.slots.length && catalog.epoch === epoch; at++) {
      const slot = victim.slots.at(at);
      if (!isHere(slot)) continue;
      if (carried.has(slot)) {
        const length = index.length(slot);
        const batch = writer.batchFor(length) ?? await writer.nextFor(length);
        if (!isHere(slot) || index.length(slot) !== length) continue;
        if (readRecord(core, victim, slot, batch, header)) {
          catalog.addCopy(slot, batch);
          batch.offsets.push(batch.used);
          catalog.move(slot, batch, batch.used);
          batch.appendRead(length);
          index.setFlags(slot, index.flags(slot) & ~HOT);
          core.counters.bytesCarried += length;
          continue;
        }
      }
      if ((index.flags(slot) & REFERENCE) !== 0) {
        const body = with_.bodyOf(slot);
        if (body !== undefined) writer.afterwards(() => with_.onDrop(body));
      }
      if (index.records(slot) > 0 && index.stamp(slot) > catalog.generation) {
        const length = maxRecordLength(0, 0);
        const batch = writer.batchFor(length) ?? await writer.nextFor(length);
        if (isHere(slot)) core.counters.bytesCarried += appendTombstone(core, batch, slot);
      }
    }
    if (isGenerationNeeded(set, victim)) {
      const length = maxRecordLength(0, 0);
      const batch = writer.batchFor(length) ?? await writer.nextFor(length);
      core.counters.bytesCarried += appendGeneration(batch, victim.generation);
    }
  } catch (error) {
    writer.abandon();
    throw error;
  }
  await writer.finish();
}

/** Reads a record to where the next one of a batch belongs. @returns whether it is undamaged. */
function readRecord(
  core: LogCore,
  victim: Segment,
  slot: number,
  { block, used }: Batch,
  header: RecordHeader,
): boolean {
  const { layer, files, catalog } = core;
  const offset = catalog.index.offset(slot);
  const length = catalog.index.length(slot);
  const { bytes } = block;
  const end = used + readFully(layer, files.file(victim), bytes, used, length, offset);
  const { salt } = victim.header;
  const isWhole = readHeader(block, used, end, salt, offset, header) === length &&
    end === used + length;
  const bodyAt = used + bodyOffset(header.keyLength);
  const isIntact = isWhole &&
    isBodyIntact(header.kind, header.check, bytes.subarray(bodyAt, bodyAt + header.bodyLength));
  if (!isIntact) reportCorrupt(core, `Cannot carry over a record of ${victim.name}`);
  return isIntact;
}

/** Lays a tombstone of the same stamp over an entry, which becomes a miss. @returns its length. */
export function appendTombstone(core: LogCore, batch: Batch, slot: number): number {
  const { index } = core.catalog;
  const header = makeRecordHeader();
  header.kind = KIND_TOMBSTONE;
  header.stamp = index.stamp(slot);
  header.author = index.author(slot);
  header.hashLow = index.hashLow(slot);
  header.hashHigh = index.hashHigh(slot);
  return appendTo(core, batch, header);
}

/** Lays a record without key and body into a batch, and lets the catalog know. @returns its length. */
export function appendTo(core: LogCore, batch: Batch, header: RecordHeader): number {
  const offset = batch.used;
  const length = batch.append(header, "");
  if (core.catalog.apply(header, length, batch, offset, 0) >= 0) batch.offsets.push(offset);
  return length;
}

/** Lays a generation into a batch. @returns its length. */
export function appendGeneration(batch: Batch, stamp: number): number {
  const header = makeRecordHeader();
  header.kind = KIND_GENERATION;
  header.stamp = stamp;
  return batch.append(header, "");
}

function isGenerationNeeded(set: SegmentSet, victim: Segment): boolean {
  const { generation } = victim;
  const others = set.all().filter((other) => other !== victim);
  return generation > 0 && !others.some((other) => other.generation > generation) &&
    others.some((other) => other.oldestStamp <= generation);
}

/** Fills batches with what is carried over, and writes each as soon as it is full. */
class CarryWriter {
  readonly #queue: WriteQueue;
  #batch: Batch | undefined;
  readonly #afterwards: (() => void)[] = [];

  constructor(queue: WriteQueue) {
    this.#queue = queue;
  }

  /** The batch being filled, if it has room for a record. */
  batchFor(length: number): Batch | undefined {
    const batch = this.#batch;
    return batch !== undefined && batch.used + length <= batch.block.bytes.length
      ? batch
      : undefined;
  }

  /** A new batch with room for a record, once the one that was filled is written. */
  async nextFor(length: number): Promise<Batch> {
    await this.#commit();
    this.#batch = this.#queue.newBatch(length);
    return this.#batch;
  }

  afterwards(action: () => void): void {
    this.#afterwards.push(action);
  }

  async finish(): Promise<void> {
    await this.#commit();
    for (const action of this.#afterwards) action();
  }

  /** Gives up what is not written: misses from now on. */
  abandon(): void {
    if (this.#batch !== undefined) this.#queue.drop(this.#batch, false);
  }

  async #commit(): Promise<void> {
    const full = this.#batch;
    this.#batch = undefined;
    if (full !== undefined) await this.#queue.commit(full);
  }
}
