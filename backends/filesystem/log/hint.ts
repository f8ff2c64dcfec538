import { crc } from "./crc.ts";
import { type Block, blockOf, KIND_GENERATION, makeBlock, type RecordHeader } from "./record.ts";

/*
 * Hint, version 1: what the records of a sealed segment say, without keys and
 * bodies, so that opening reads some 40 bytes an entry. It stands beside its
 * segment and seals it. All numbers are little-endian.
 *
 *   offset  type  field
 *        0  u32   magic 0x544e4853, the letters "SHNT"
 *        4  u32   CRC-32 of bytes 8 to 63, started from the segment's salt
 *        8  u8    format version, 1
 *        9  3     zeros
 *       12  u32   number of entries
 *       16  u32   CRC-32 of all entries
 *       20  u32   0
 *       24  f64   bytes of the segment up to the end of its last record
 *       32  f64   newest generation in the segment, 0 for none
 *       40        zeros
 *       64        entries of 40 bytes, in the order of the records
 *
 * Entry:
 *        0  u32   hash of the key, lower half
 *        4  u32   hash of the key, upper half
 *        8  f64   stamp
 *       16  f64   expires
 *       24  u32   offset of the record
 *       28  u32   bytes of the whole record
 *       32  u16   author
 *       34  u8    kind
 *       35  u8    0
 *       36  u32   4 KiB blocks of the file that a reference names
 */

/** Bytes before the first entry. */
export const HINT_HEADER_BYTES = 64;
/** Bytes of an entry. */
export const HINT_ENTRY_BYTES = 40;

const MAGIC = 0x544e4853;
const FORMAT_VERSION = 1;
const FIRST_ENTRIES = 64;

/** Bytes of a hint with so many entries. */
export function hintLength(entries: number): number {
  return HINT_HEADER_BYTES + entries * HINT_ENTRY_BYTES;
}

/** A hint that grows while its segment is written. */
export class HintWriter {
  #block: Block = makeBlock(hintLength(FIRST_ENTRIES));
  #count = 0;
  #generation = 0;

  /** Bytes that it will take. */
  get length(): number {
    return hintLength(this.#count);
  }

  /** Records noted. */
  get count(): number {
    return this.#count;
  }

  /** Forgets the last records, which have not come to stand in the segment. */
  cutTo(count: number): void {
    this.#count = count;
  }

  /** Takes note of a record. */
  add(header: RecordHeader, offset: number, length: number): void {
    const at = hintLength(this.#count++);
    if (at + HINT_ENTRY_BYTES > this.#block.bytes.length) {
      const larger = makeBlock(hintLength(this.#count * 2));
      larger.bytes.set(this.#block.bytes);
      this.#block = larger;
    }
    const { view } = this.#block;
    view.setUint32(at, header.hashLow, true);
    view.setUint32(at + 4, header.hashHigh, true);
    view.setFloat64(at + 8, header.stamp, true);
    view.setFloat64(at + 16, header.expires, true);
    view.setUint32(at + 24, offset, true);
    view.setUint32(at + 28, length, true);
    view.setUint32(at + 32, header.author | header.kind << 16, true);
    view.setUint32(at + 36, header.blocks, true);
    if (header.kind === KIND_GENERATION) {
      this.#generation = Math.max(this.#generation, header.stamp);
    }
  }

  /** The hint of a segment that ends at `end`. */
  finish(salt: number, end: number): Uint8Array {
    const { bytes, view } = this.#block;
    const hint = bytes.subarray(0, this.length);
    view.setUint32(0, MAGIC, true);
    view.setUint8(8, FORMAT_VERSION);
    view.setUint32(12, this.#count, true);
    view.setUint32(16, crc(hint.subarray(HINT_HEADER_BYTES)), true);
    view.setFloat64(24, end, true);
    view.setFloat64(32, this.#generation, true);
    view.setUint32(4, crc(hint.subarray(8, HINT_HEADER_BYTES), salt), true);
    return hint;
  }
}

/** A hint that was read and checked. */
export class HintReader {
  /** Number of entries. */
  readonly count: number;
  /** Bytes of the segment up to the end of its last record. */
  readonly end: number;
  /** The newest generation in the segment, 0 for none. */
  readonly generation: number;
  readonly #view: DataView;

  private constructor(view: DataView) {
    this.#view = view;
    this.count = view.getUint32(12, true);
    this.end = view.getFloat64(24, true);
    this.generation = view.getFloat64(32, true);
  }

  /** Checks a hint. @returns `undefined` when it is damaged, unfinished, or of another segment. */
  static of(bytes: Uint8Array, salt: number): HintReader | undefined {
    if (bytes.length < HINT_HEADER_BYTES) return undefined;
    const { view } = blockOf(bytes);
    const isIntact = view.getUint32(0, true) === MAGIC && view.getUint8(8) === FORMAT_VERSION &&
      view.getUint32(4, true) === crc(bytes.subarray(8, HINT_HEADER_BYTES), salt) &&
      hintLength(view.getUint32(12, true)) === bytes.length &&
      view.getUint32(16, true) === crc(bytes.subarray(HINT_HEADER_BYTES));
    return isIntact ? new HintReader(view) : undefined;
  }

  /** Whether a hint may be one that its writer had no time to write in full. */
  static isTorn(bytes: Uint8Array): boolean {
    return bytes.length < HINT_HEADER_BYTES ||
      hintLength(blockOf(bytes).view.getUint32(12, true)) !== bytes.length;
  }

  /** Reads an entry. @returns the length of its record. */
  read(index: number, into: RecordHeader): number {
    const at = hintLength(index);
    const view = this.#view;
    into.hashLow = view.getUint32(at, true);
    into.hashHigh = view.getUint32(at + 4, true);
    into.stamp = view.getFloat64(at + 8, true);
    into.expires = view.getFloat64(at + 16, true);
    const order = view.getUint32(at + 32, true);
    into.author = order & 0xffff;
    into.kind = order >>> 16 & 0xff;
    into.blocks = view.getUint32(at + 36, true);
    return view.getUint32(at + 28, true);
  }

  /** Where the record of an entry begins. */
  offset(index: number): number {
    return this.#view.getUint32(hintLength(index) + 24, true);
  }
}
