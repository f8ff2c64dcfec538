import { crc } from "./crc.ts";
import { blockOf, makeBlock } from "./record.ts";
import { SlotList } from "./slot_list.ts";

/*
 * Segment file, version 1: a header of 64 bytes, then records (record.ts) one
 * after another. All numbers are little-endian.
 *
 *   offset  type  field
 *        0  u32   magic 0x47455353, the letters "SSEG"
 *        4  u32   CRC-32 of bytes 8 to 63
 *        8  u8    format version, 1
 *        9  u8    0
 *       10  u16   writer
 *       12  u32   0
 *       16  f64   stamp of its creation, also in its name
 *       24  f64   bytes that the file and its hint may grow to, both together
 *       32  u32   id of its directory, lower half
 *       36  u32   id of its directory, upper half
 *       40        zeros
 *
 * Name: 14 hexadecimal digits of the stamp, "-", 4 of the writer, ".seg"; so
 * names sort by age and are never used twice. The salt of the sums in its
 * records is the CRC-32 of the name, started from the lower half of the
 * directory's id: what is needed to read a segment stands outside of it, and
 * damage to the header costs no record. Only its writer appends to it; once
 * its hint (hint.ts) is there it never changes again.
 */

/** Bytes before the first record. */
export const SEGMENT_HEADER_BYTES = 64;

const MAGIC = 0x47455353;
const FORMAT_VERSION = 1;
const NAME = /^([0-9a-f]{14})-([0-9a-f]{4})\.seg$/;

/** What holds records: a segment, or a batch that is still in memory. */
export interface Holder {
  /** Its number in the index. */
  readonly id: number;
  /** The slot of each of its records that the catalog counts. */
  readonly slots: SlotList;
  /** Bytes of records that a get may return. */
  liveBytes: number;
  /** Bytes of tombstones that may still be needed. */
  tombstoneBytes: number;
  /** Forgets its slots, which have become invalid. */
  forgetSlots(): void;
}

/** What is known of a segment before its records are read. */
export interface SegmentHeader {
  readonly writer: number;
  readonly salt: number;
  readonly stamp: number;
  /** Bytes that it and its hint may grow to. */
  readonly capacity: number;
}

/** One segment file as this process knows it. */
export class Segment implements Holder {
  readonly id: number;
  readonly name: string;
  readonly header: SegmentHeader;
  readonly slots: SlotList = new SlotList();
  liveBytes = 0;
  tombstoneBytes = 0;
  /** Up to where its records are known. */
  end: number = SEGMENT_HEADER_BYTES;
  /** Never changes again. */
  sealed = false;
  /** Bytes of the file, where it goes on behind {@linkcode Segment.end}. */
  fileBytes = 0;
  /** Bytes of its hint, 0 for none. */
  hintBytes = 0;
  /** Generations in it, each needed as long as older segments are there. */
  generation = 0;
  /** The oldest stamp in it. */
  oldestStamp = Infinity;
  /** The highest `durableTo` met in it. */
  durableTo = 0;
  /** Polls in a row that could not go on although the file does. */
  stuckPolls = 0;
  /** The open file, -1 for none; {@linkcode FileCache} keeps it. */
  file = -1;
  /** Whether the file was used since the cache looked. */
  isFileUsed = false;

  constructor(id: number, name: string, header: SegmentHeader) {
    this.id = id;
    this.name = name;
    this.header = header;
  }

  forgetSlots(): void {
    this.slots.clear();
    this.liveBytes = 0;
    this.tombstoneBytes = 0;
  }

  /** What it counts towards the limit: all it may grow to, as long as it may. */
  get claim(): number {
    return this.sealed
      ? blocksOf(Math.max(this.end, this.fileBytes)) + blocksOf(this.hintBytes)
      : blocksOf(this.header.capacity) + CLAIM_SLACK;
  }

  /** The share of its records that is of no use any more. */
  get deadShare(): number {
    const data = this.end - SEGMENT_HEADER_BYTES;
    return data <= 0 ? 1 : 1 - (this.liveBytes + this.tombstoneBytes) / data;
  }
}

/** Two files, each rounded up, and a block of extents. */
export const CLAIM_SLACK: number = 3 * 4096;

/** Bytes that a file of a length takes, in whole blocks. */
export function blocksOf(length: number): number {
  return Math.ceil(length / 4096) * 4096;
}

/** The name of a segment. */
export function segmentName(stamp: number, writer: number): string {
  return `${stamp.toString(16).padStart(14, "0")}-${writer.toString(16).padStart(4, "0")}.seg`;
}

/** Whether a name is a segment's. */
export function isSegmentName(name: string): boolean {
  return NAME.test(name);
}

/** The name of a segment's hint. */
export function hintName(name: string): string {
  return `${name.slice(0, -4)}.hint`;
}

/** What the name of a segment tells. */
export function headerOfName(
  name: string,
  capacity: number,
  directoryId: Uint32Array,
): SegmentHeader {
  return {
    writer: parseInt(name.slice(15, 19), 16),
    stamp: parseInt(name.slice(0, 14), 16),
    salt: crc(encoder.encode(name), directoryId[0]!),
    capacity,
  };
}

/** Writes a segment's header. */
export function encodeSegmentHeader(header: SegmentHeader, directoryId: Uint32Array): Uint8Array {
  const { bytes, view } = makeBlock(SEGMENT_HEADER_BYTES);
  view.setUint32(0, MAGIC, true);
  view.setUint8(8, FORMAT_VERSION);
  view.setUint16(10, header.writer, true);
  view.setFloat64(16, header.stamp, true);
  view.setFloat64(24, header.capacity, true);
  view.setUint32(32, directoryId[0]!, true);
  view.setUint32(36, directoryId[1]!, true);
  view.setUint32(4, crc(bytes.subarray(8)), true);
  return bytes;
}

/**
 * Reads a segment's header.
 *
 * @returns its version and capacity; `undefined` when it is damaged or not there yet.
 */
export function decodeSegmentHeader(
  bytes: Uint8Array,
): { readonly version: number; readonly capacity: number } | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES) return undefined;
  const { view } = blockOf(bytes);
  const isIntact = view.getUint32(0, true) === MAGIC &&
    view.getUint32(4, true) === crc(bytes.subarray(8, SEGMENT_HEADER_BYTES));
  return isIntact ? { version: view.getUint8(8), capacity: view.getFloat64(24, true) } : undefined;
}

/** The version of segments that this code reads and writes. */
export const SEGMENT_VERSION: number = FORMAT_VERSION;

const encoder = new TextEncoder();
