import { type Batch, maxRecordLength } from "./batch.ts";
import { type Catalog, HOT, REFERENCE } from "./catalog.ts";
import { type LogCore, reportCorrupt } from "./core.ts";
import { readFully } from "./file_layer.ts";
import {
  blockOf,
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
const READ_BYTES = 256 * 1024;

/** What is needed to reclaim. */
export interface Reclaimer {
  readonly core: LogCore;
  readonly set: SegmentSet;
  readonly queue: WriteQueue;
  /** Bytes of records that may be carried over into the active segment. */
  readonly room: () => number;
  /** Makes what was carried over durable, as far as the log promises that. */
  readonly sync: () => Promise<void>;
  /** Is given the body of each reference that is dropped. */
  readonly onDrop: (body: Uint8Array) => void;
}

/** An entry whose newest record is in the segment that goes. */
interface Leaving {
  readonly slot: number;
  readonly offset: number;
  readonly length: number;
  isCarried: boolean;
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
    const leaving = leavingOf(core, victim);
    choose(core, leaving, Math.min(share * victim.end, with_.room()));
    await carry(with_, victim, leaving, epoch);
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

function leavingOf({ catalog }: LogCore, victim: Segment): Leaving[] {
  const { index } = catalog;
  const found = new Map<number, Leaving>();
  for (let at = 0; at < victim.slots.length; at++) {
    const slot = victim.slots.at(at);
    if (index.segment(slot) !== victim.id || found.has(slot)) continue;
    found.set(slot, {
      slot,
      offset: index.offset(slot),
      length: index.length(slot),
      isCarried: false,
    });
  }
  return [...found.values()].sort((a, b) => a.offset - b.offset);
}

function choose({ catalog, clock }: LogCore, leaving: Leaving[], budget: number): void {
  const now = clock.now();
  const { index } = catalog;
  const live = leaving.filter(({ slot }) => catalog.isVisible(slot) && index.expires(slot) > now);
  let left = budget;
  const take = (entry: Leaving): void => {
    if (entry.isCarried || entry.length > left) return;
    entry.isCarried = true;
    left -= entry.length;
  };
  // A reference stands for a whole file, and the policy has weighed it as such.
  for (const entry of live) if ((index.flags(entry.slot) & REFERENCE) !== 0) take(entry);
  for (const entry of live) if ((index.flags(entry.slot) & HOT) !== 0) take(entry);
  for (let at = live.length - 1; at >= 0; at--) take(live[at]!);
}

async function carry(
  with_: Reclaimer,
  victim: Segment,
  leaving: readonly Leaving[],
  epoch: number,
): Promise<void> {
  const { core, set, queue } = with_;
  const { catalog } = core;
  const { index } = catalog;
  const writer = new CarryWriter(queue);
  const reader = new SegmentReader(core, victim);
  const header = makeRecordHeader();
  for (const { slot, offset, length, isCarried } of leaving) {
    if (catalog.epoch !== epoch) break;
    const isHere = (): boolean =>
      index.segment(slot) === victim.id && index.offset(slot) === offset;
    if (!isHere()) continue;
    const isReference = (index.flags(slot) & REFERENCE) !== 0;
    const record = isCarried || isReference ? reader.record(offset, length, header) : undefined;
    if (isCarried && record !== undefined) {
      const batch = await writer.batchFor(length);
      if (catalog.epoch !== epoch || !isHere()) continue;
      catalog.addCopy(slot, batch);
      batch.offsets.push(batch.used);
      catalog.move(slot, batch, batch.used);
      batch.appendCopy(record);
      index.setFlags(slot, index.flags(slot) & ~HOT);
      core.counters.bytesCarried += length;
      continue;
    }
    if (isReference && record !== undefined) {
      const body = record.slice(bodyOffset(header.keyLength)).subarray(0, header.bodyLength);
      writer.afterwards(() => with_.onDrop(body));
    }
    if (index.records(slot) > 0 && index.stamp(slot) > catalog.generation) {
      const batch = await writer.batchFor(maxRecordLength(0, 0));
      if (catalog.epoch !== epoch || !isHere()) continue;
      core.counters.bytesCarried += appendTombstone(core, batch, slot);
    }
  }
  if (isGenerationNeeded(set, victim)) {
    const batch = await writer.batchFor(maxRecordLength(0, 0));
    core.counters.bytesCarried += appendGeneration(batch, victim.generation);
  }
  await writer.finish();
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

  async batchFor(length: number): Promise<Batch> {
    if (this.#batch !== undefined && this.#batch.used + length > this.#batch.block.bytes.length) {
      const full = this.#batch;
      this.#batch = undefined;
      await this.#queue.commit(full);
    }
    this.#batch ??= this.#queue.newBatch(length);
    return this.#batch;
  }

  afterwards(action: () => void): void {
    this.#afterwards.push(action);
  }

  async finish(): Promise<void> {
    const last = this.#batch;
    this.#batch = undefined;
    if (last !== undefined) await this.#queue.commit(last);
    for (const action of this.#afterwards) action();
  }
}

/** Reads records in the order of their offsets, neighbours at once. */
class SegmentReader {
  readonly #core: LogCore;
  readonly #segment: Segment;
  #bytes = new Uint8Array(0);
  #start = 0;

  constructor(core: LogCore, segment: Segment) {
    this.#core = core;
    this.#segment = segment;
  }

  /** One record, valid until the next call; `undefined` when it is damaged. */
  record(offset: number, length: number, header: RecordHeader): Uint8Array | undefined {
    if (offset < this.#start || offset + length > this.#start + this.#bytes.length) {
      this.#load(offset, Math.max(length, READ_BYTES));
    }
    const at = offset - this.#start;
    const { salt } = this.#segment.header;
    const block = blockOf(this.#bytes);
    const found = readHeader(block, at, this.#bytes.length, salt, offset, header);
    const bodyAt = at + bodyOffset(header.keyLength);
    const isIntact = found === length && at + length <= this.#bytes.length &&
      isBodyIntact(
        header.kind,
        header.check,
        this.#bytes.subarray(bodyAt, bodyAt + header.bodyLength),
      );
    if (isIntact) return this.#bytes.subarray(at, at + length);
    reportCorrupt(this.#core, `Cannot carry over a record of ${this.#segment.name}`);
    return undefined;
  }

  #load(offset: number, length: number): void {
    const bytes = new Uint8Array(Math.min(length, this.#segment.end - offset));
    const { layer, files } = this.#core;
    const read = readFully(layer, files.file(this.#segment), bytes, 0, bytes.length, offset);
    this.#bytes = bytes.subarray(0, read);
    this.#start = offset;
  }
}
