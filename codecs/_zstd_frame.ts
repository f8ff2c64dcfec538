import { corrupt, wrongSize } from "./_codec_errors.ts";

/*
 * What a Zstandard frame (RFC 8878, section 3.1.1) tells about its size,
 * little-endian:
 *
 *   4           magic, 0xFD2FB528
 *   1           descriptor: content size flag (bits 7 and 6), single segment (5),
 *               reserved (3), checksum (2), dictionary id flag (1 and 0)
 *   0 or 1      window descriptor, absent with single segment
 *   0, 1, 2, 4  dictionary id
 *   0, 1, 2, 4, 8  content size
 *   ...         blocks; header of 3 bytes: last (bit 0), type (1 and 2), size (3 to 23)
 *   0 or 4      checksum
 */

const NAME = "zstd";
const MAGIC = 0xfd2fb528;
/** The last four bits of the magic of a skippable frame are free. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const BLOCK_HEADER_BYTES = 3;
const CHECKSUM_BYTES = 4;
/** The most that a block holds or yields. */
const MAX_BLOCK_BYTES = 128 * 1024;
const RLE = 1;
const COMPRESSED = 2;
const RESERVED = 3;

interface FrameHeader {
  /** Where the first block begins. */
  readonly blocksStart: number;
  readonly contentSize: number;
  readonly hasChecksum: boolean;
}

/**
 * Checks, before anything is decoded or allocated, that bytes are exactly one
 * frame, without a dictionary, that states `length` as its size and has blocks
 * for as much.
 *
 * @throws {CacheError} `"decoded-size"` or `"corrupt"`, with the reason.
 */
export function checkZstdFrame(bytes: Uint8Array, length: number): void {
  const { blocksStart, contentSize, hasChecksum } = readHeader(bytes);
  if (contentSize !== length) {
    throw wrongSize(NAME, `its frame states ${contentSize} bytes, not ${length}`);
  }
  const { end, least, most } = walkBlocks(bytes, blocksStart);
  if (length < least || length > most) {
    throw wrongSize(NAME, `its blocks yield from ${least} to ${most} bytes, not ${length}`);
  }
  const frameEnd = end + (hasChecksum ? CHECKSUM_BYTES : 0);
  if (frameEnd > bytes.length) throw truncated();
  if (frameEnd < bytes.length) {
    throw corrupt(NAME, `${bytes.length - frameEnd} bytes follow its frame`);
  }
}

function readHeader(bytes: Uint8Array): FrameHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 5) throw truncated();
  const magic = view.getUint32(0, true);
  if ((magic & ~0xf) === SKIPPABLE_MAGIC) throw corrupt(NAME, "it begins with a skippable frame");
  if (magic !== MAGIC) throw corrupt(NAME, "it does not begin with the magic of a frame");
  const descriptor = bytes[4]!;
  if ((descriptor & 0x08) !== 0) throw corrupt(NAME, "a reserved bit of its frame is set");
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionaryStart = singleSegment ? 5 : 6;
  const sizeStart = dictionaryStart + DICTIONARY_ID_BYTES[(descriptor & 3) as 0 | 1 | 2 | 3];
  const sizeFlag = descriptor >>> 6;
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  const blocksStart = sizeStart + sizeBytes;
  if (blocksStart > bytes.length) throw truncated();
  for (let at = dictionaryStart; at < sizeStart; at++) {
    if (bytes[at] !== 0) throw corrupt(NAME, "its frame needs a dictionary");
  }
  if (sizeBytes === 0) throw wrongSize(NAME, "its frame does not state its size");
  return {
    blocksStart,
    contentSize: readSize(view, sizeStart, sizeBytes),
    hasChecksum: (descriptor & 0x04) !== 0,
  };
}

function readSize(view: DataView, at: number, sizeBytes: number): number {
  if (sizeBytes === 1) return view.getUint8(at);
  // The two-byte form leaves out what fits into one byte.
  if (sizeBytes === 2) return view.getUint16(at, true) + 256;
  if (sizeBytes === 4) return view.getUint32(at, true);
  return Number(view.getBigUint64(at, true));
}

/** Steps over the blocks of a frame, and adds up what they yield at least and at most. */
function walkBlocks(
  bytes: Uint8Array,
  start: number,
): { readonly end: number; readonly least: number; readonly most: number } {
  let at = start;
  let least = 0;
  let most = 0;
  for (;;) {
    if (at + BLOCK_HEADER_BYTES > bytes.length) throw truncated();
    const header = bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16;
    const type = header >>> 1 & 3;
    const size = header >>> 3;
    if (type === RESERVED || size > MAX_BLOCK_BYTES) throw corrupt(NAME, "a block is not valid");
    if (type === COMPRESSED) {
      most += MAX_BLOCK_BYTES;
    } else {
      least += size;
      most += size;
    }
    at += BLOCK_HEADER_BYTES + (type === RLE ? 1 : size);
    if (at > bytes.length) throw truncated();
    if ((header & 1) !== 0) return { end: at, least, most };
  }
}

function truncated(): Error {
  return corrupt(NAME, "its frame is cut short");
}
