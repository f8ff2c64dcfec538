import { crc } from "./crc.ts";

/*
 * Record, version 1. All numbers are little-endian; a record begins at a
 * multiple of 8 in its segment.
 *
 *   offset  type  field
 *        0  u32   magic 0x4c525453, the letters "STRL"
 *        4  u32   CRC-32 of bytes 8 to 63 and the key, started from the sum of
 *                 the segment's salt and the record's offset (mod 2^32)
 *        8  u8    format version, 1
 *        9  u8    kind: 1 value, 2 reference, 3 tombstone, 4 generation
 *       10  u8    flags: bit 0, the key is UTF-16LE instead of UTF-8; the others are 0
 *       11  u8    0
 *       12  u32   length of the key, in bytes
 *       16  u32   length of the body, in bytes
 *       20  u32   check of the body: of a value the CRC-32 of its first 64 bytes,
 *                 else the CRC-32 of all of it
 *       24  f64   stamp: epoch milliseconds times 1024 plus a counter
 *       32  f64   expires, epoch milliseconds, Infinity for never
 *       40  u32   hash of the key, lower half
 *       44  u32   hash of the key, upper half
 *       48  u16   author: random number of the open log that stamped it
 *       50  u16   0
 *       52  u32   4 KiB blocks of the file that a reference names, else 0
 *       56  u32   offset in this segment below which all was handed over, as durably
 *                 as its log promises, before this record was written
 *       60  u32   0
 *       64        key, zeros up to a multiple of 8, body, zeros up to a multiple of 8
 *
 * The body of a value is a frame (src/entry/frame.ts). A frame has sums of its
 * own: the check covers its header, and with it the sum that covers the rest.
 * A tombstone and a generation have neither key nor body: a tombstone is for
 * the hash, and whatever it hides that has another key is only evicted.
 *
 * Newest by (stamp, author) wins. A generation puts an end to every record
 * with a stamp up to its own. Salt and offset in the sum of the header keep a
 * scan from taking a copy of a record, inside a value or in a recycled block,
 * for a record.
 */

/** Bytes before the key. */
export const RECORD_HEADER_BYTES = 64;

/** Where a record may begin. */
export const RECORD_ALIGNMENT = 8;

/** A frame. */
export const KIND_VALUE = 1;
/** Names a file that holds the frame. */
export const KIND_REFERENCE = 2;
/** The key is deleted. */
export const KIND_TOMBSTONE = 3;
/** Everything older is deleted. */
export const KIND_GENERATION = 4;

/** Bytes in one block of a referenced file. */
export const BLOCK_BYTES = 4096;

/** The key is UTF-16LE. */
export const FLAG_UTF16_KEY = 1;

const MAGIC = 0x4c525453;
const FORMAT_VERSION = 1;
const FRAME_HEADER_BYTES = 64;
const FRAME_BODY_SUM_OFFSET = 56;

/** Bytes with a view over them, kept together because a view costs more than a read through it. */
export interface Block {
  /** The bytes. */
  readonly bytes: Uint8Array;
  /** The same bytes. */
  readonly view: DataView;
}

/** What a record says of itself; filled in again and again, to spare allocations. */
export interface RecordHeader {
  kind: number;
  flags: number;
  keyLength: number;
  bodyLength: number;
  check: number;
  stamp: number;
  expires: number;
  hashLow: number;
  hashHigh: number;
  author: number;
  blocks: number;
  durableTo: number;
}

/** An empty header, to be filled in. */
export function makeRecordHeader(): RecordHeader {
  return {
    kind: 0,
    flags: 0,
    keyLength: 0,
    bodyLength: 0,
    check: 0,
    stamp: 0,
    expires: 0,
    hashLow: 0,
    hashHigh: 0,
    author: 0,
    blocks: 0,
    durableTo: 0,
  };
}

/** A block of its own. */
export function makeBlock(length: number): Block {
  return blockOf(new Uint8Array(length));
}

/** A block over bytes. */
export function blockOf(bytes: Uint8Array): Block {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
}

/** Rounds up to where the next record may begin. */
export function aligned(length: number): number {
  return (length + 7) & ~7;
}

/** Bytes of a whole record. */
export function recordLength(keyLength: number, bodyLength: number): number {
  return RECORD_HEADER_BYTES + aligned(keyLength) + aligned(bodyLength);
}

/** Where the body begins, seen from the record. */
export function bodyOffset(keyLength: number): number {
  return RECORD_HEADER_BYTES + aligned(keyLength);
}

/** The check of a body that stands in its header. */
export function checkOfBody(kind: number, body: Uint8Array): number {
  return crc(kind === KIND_VALUE ? body.subarray(0, FRAME_HEADER_BYTES) : body);
}

/** Whether a body is undamaged. */
export function isBodyIntact(kind: number, check: number, body: Uint8Array): boolean {
  if (kind !== KIND_VALUE) return crc(body) === check;
  if (body.length < FRAME_HEADER_BYTES) return false;
  const sum = (body[FRAME_BODY_SUM_OFFSET]! | body[FRAME_BODY_SUM_OFFSET + 1]! << 8 |
    body[FRAME_BODY_SUM_OFFSET + 2]! << 16 | body[FRAME_BODY_SUM_OFFSET + 3]! << 24) >>> 0;
  return crc(body.subarray(0, FRAME_HEADER_BYTES)) === check &&
    crc(body.subarray(FRAME_HEADER_BYTES)) === sum;
}

/** Writes the header, all but its sum and `durableTo`; key and body have been laid behind it. */
export function writeHeader({ view }: Block, at: number, header: RecordHeader): void {
  view.setUint32(at, MAGIC, true);
  view.setUint32(
    at + 8,
    FORMAT_VERSION | header.kind << 8 | header.flags << 16,
    true,
  );
  view.setUint32(at + 12, header.keyLength, true);
  view.setUint32(at + 16, header.bodyLength, true);
  view.setUint32(at + 20, header.check, true);
  view.setFloat64(at + 24, header.stamp, true);
  view.setFloat64(at + 32, header.expires, true);
  view.setUint32(at + 40, header.hashLow, true);
  view.setUint32(at + 44, header.hashHigh, true);
  view.setUint32(at + 48, header.author, true);
  view.setUint32(at + 52, header.blocks, true);
  view.setUint32(at + 56, 0, true);
  view.setUint32(at + 60, 0, true);
}

/** Ends a header once its place in a segment is known. */
export function sealHeader(
  { bytes, view }: Block,
  at: number,
  salt: number,
  offset: number,
  durableTo: number,
): void {
  view.setUint32(at + 56, durableTo, true);
  const end = at + RECORD_HEADER_BYTES + view.getUint32(at + 12, true);
  view.setUint32(at + 4, crc(bytes.subarray(at + 8, end), (salt + offset) >>> 0), true);
}

/**
 * Reads a header that begins at `at` of a block and at `offset` of its
 * segment.
 *
 * @param end where the block's data ends.
 * @returns bytes of the whole record; 0 when there is no undamaged header. The
 * body may still reach beyond `end`.
 */
export function readHeader(
  { bytes, view }: Block,
  at: number,
  end: number,
  salt: number,
  offset: number,
  into: RecordHeader,
): number {
  if (at + RECORD_HEADER_BYTES > end || view.getUint32(at, true) !== MAGIC) return 0;
  const keyLength = view.getUint32(at + 12, true);
  if (keyLength > end - at - RECORD_HEADER_BYTES) return 0;
  const covered = bytes.subarray(at + 8, at + RECORD_HEADER_BYTES + keyLength);
  if (crc(covered, (salt + offset) >>> 0) !== view.getUint32(at + 4, true)) return 0;
  parseHeader(view, at, into);
  return recordLength(keyLength, into.bodyLength);
}

/** Takes over the fields of a header that this process wrote or has checked. */
export function parseHeader(view: DataView, at: number, into: RecordHeader): void {
  const kinds = view.getUint32(at + 8, true);
  into.kind = kinds >>> 8 & 0xff;
  into.flags = kinds >>> 16 & 0xff;
  into.keyLength = view.getUint32(at + 12, true);
  into.bodyLength = view.getUint32(at + 16, true);
  into.check = view.getUint32(at + 20, true);
  into.stamp = view.getFloat64(at + 24, true);
  into.expires = view.getFloat64(at + 32, true);
  into.hashLow = view.getUint32(at + 40, true);
  into.hashHigh = view.getUint32(at + 44, true);
  into.author = view.getUint16(at + 48, true);
  into.blocks = view.getUint32(at + 52, true);
  into.durableTo = view.getUint32(at + 56, true);
}

/** Bytes of a header and key whose length field is not trusted yet, 0 when this is no header at all. */
export function claimedHeaderLength(view: DataView, at: number): number {
  return view.getUint32(at, true) === MAGIC
    ? RECORD_HEADER_BYTES + view.getUint32(at + 12, true)
    : 0;
}

/** Whether a record's kind and version are known; others are passed over. */
export function isKnownRecord(view: DataView, at: number): boolean {
  const kind = view.getUint8(at + 9);
  return view.getUint8(at + 8) === FORMAT_VERSION && kind >= KIND_VALUE && kind <= KIND_GENERATION;
}

const encoder = new TextEncoder();

/**
 * Writes a key without an array of its own.
 *
 * @param room bytes free from `at` on; three for each code unit are always enough.
 * @returns its length in bytes; negative, minus one, when it is UTF-16LE.
 */
export function writeKey(key: string, { bytes, view }: Block, at: number): number {
  const { length } = key;
  let ascii = 0;
  for (; ascii < length; ascii++) {
    const unit = key.charCodeAt(ascii);
    if (unit > 0x7f) break;
    bytes[at + ascii] = unit;
  }
  if (ascii === length) return length;
  if (key.isWellFormed()) return encoder.encodeInto(key, bytes.subarray(at)).written;
  for (let unit = 0; unit < length; unit++) {
    view.setUint16(at + unit * 2, key.charCodeAt(unit), true);
  }
  return -2 * length - 1;
}

/** Whether the key that stands at `at` is this one, of the same encoding. */
export function isKeyAt(
  key: string,
  bytes: Uint8Array,
  at: number,
  keyLength: number,
  flags: number,
): boolean {
  if ((flags & FLAG_UTF16_KEY) === 0 && keyLength === key.length) {
    // Every code unit takes a byte at least, so equal lengths mean ASCII on both sides.
    for (let unit = 0; unit < keyLength; unit++) {
      if (bytes[at + unit] !== key.charCodeAt(unit)) return false;
    }
    return true;
  }
  return readKey(bytes.subarray(at, at + keyLength), flags) === key;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The key of a record whose header was checked; `undefined` when it is no text. */
export function readKey(bytes: Uint8Array, flags: number): string | undefined {
  if ((flags & FLAG_UTF16_KEY) === 0) {
    try {
      return decoder.decode(bytes);
    } catch {
      return undefined;
    }
  }
  let key = "";
  for (let at = 0; at + 1 < bytes.length; at += 2) {
    key += String.fromCharCode(bytes[at]! | bytes[at + 1]! << 8);
  }
  return key;
}
