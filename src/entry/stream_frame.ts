import { CacheError } from "../errors.ts";
import { crc32, crc32Portable } from "./checksum.ts";
import { decodeKey, decodeTags, encodeKey, encodeTags, type EntryMetadata } from "./frame.ts";

/*
 * Frame, version 2: bytes that came as a stream. All numbers are little-endian.
 *
 *   offset  type  field
 *        0  u32   magic 0x41525453, the letters "STRA"
 *        4  u8    format version, 2
 *        5  u8    0, where version 1 has the serializer
 *        6  u8    codec of chunks: 0 none, else its id
 *        7  u8    dtype, 1: bytes
 *        8  u32   bytes of a slot, a multiple of 64 from 128 to 4 MiB
 *       12  u32   id of the frame, random
 *       16        times and version stamp, as in version 1
 *       48  u32   length of the key, in bytes
 *       52  u16   length of the tags, in bytes
 *       54  u16   flags: bit 0, the key is UTF-16LE instead of UTF-8; the others are 0
 *       56  u32   CRC-32 of what follows the header, up to the first chunk
 *       60  u32   CRC-32 of bytes 0 to 59
 *       64        key, tags, zeros up to a multiple of 64; then chunks; then the end
 *
 *   chunk                                    end
 *        0  u32   length as stored, not 0         0  u32   0
 *        4  u32   length before the codec         4  u32   0
 *        8  u32   its number, from 0              8  u32   number of chunks
 *       12  u32   CRC-32, see below              12  u32   CRC-32, see below
 *       16        the bytes as stored            16  f64   bytes of all chunks before the codec
 *                                                24  f64   bytes of all chunks as stored
 *
 * A CRC-32 of a chunk or of the end goes on from the frame's id and covers all
 * of it but the sum itself, so that a chunk of another frame or another place
 * is refused. A chunk whose two lengths are equal is stored as it is.
 *
 * Every chunk but the last has the most bytes that there is room for: chunk 0
 * ends, were it stored as it is, at the first end of a slot after the header,
 * and each later one fills a slot. Without a codec chunk n therefore begins at
 * the n-th slot after the one with the end of the header: any range of the
 * value is found without reading what comes before it, and a store that reads
 * whole slots reads whole chunks.
 */

/** Bytes of a chunk before those that are stored. */
export const CHUNK_HEADER_BYTES = 16;

/** Bytes after the last chunk. */
export const END_BYTES = 32;

/** Bytes of a slot, unless a test wants others. */
export const SLOT_BYTES: number = 256 * 1024;

const FIXED_BYTES = 64;
const UNIT = 64;
const MAGIC = 0x41525453;
const FORMAT_VERSION = 2;
const DTYPE_BYTES = 1;
const FLAG_UTF16_KEY = 1;
const SUMMED_HEADER_BYTES = 60;
const SUMMED_PREFIX_BYTES = 12;
const MIN_SLOT_BYTES = 128;
const MAX_SLOT_BYTES = 4 * 1024 * 1024;

/** How the chunks of a frame are laid out. */
export interface StreamLayout {
  /** Bytes before the first chunk. */
  readonly headerLength: number;
  /** Bytes of a slot. */
  readonly slotBytes: number;
  /** Id of the codec, 0 for none. */
  readonly codec: number;
  /** Tells chunks of frames apart. */
  readonly id: number;
}

/** The header of a streamed frame, taken apart. */
export interface StreamHeader extends StreamLayout {
  /** The key that the frame was written for. */
  readonly key: string;
  /** Times, version and tags. */
  readonly metadata: EntryMetadata;
}

/** A chunk as its first bytes tell. */
export interface ChunkHead {
  /** Bytes as stored; 0 for the end of the frame. */
  readonly storedLength: number;
  /** Bytes before the codec. */
  readonly rawLength: number;
  /** Its number; of the end, the number of chunks. */
  readonly index: number;
  /** The sum that it must have. */
  readonly sum: number;
}

/** Whether bytes begin like a streamed frame, damaged or not. */
export function isStreamFrame(bytes: Uint8Array): boolean {
  return bytes.length > 4 && bytes[0] === 0x53 && bytes[1] === 0x54 && bytes[2] === 0x52 &&
    bytes[3] === 0x41 && bytes[4] === FORMAT_VERSION;
}

/** An id for a new frame. */
export function newFrameId(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

/** Bytes that the header of an entry takes. */
export function streamHeaderLength(key: string, tags: readonly string[]): number {
  return padded(FIXED_BYTES + encodeKey(key).bytes.length + encodeTags(tags).length);
}

/** Writes a header into a buffer of its own. */
export function encodeStreamHeader(
  key: string,
  metadata: EntryMetadata,
  { codec, slotBytes, id }: Omit<StreamLayout, "headerLength">,
): Uint8Array {
  const { bytes: keyBytes, utf16 } = encodeKey(key);
  const tags = encodeTags(metadata.tags);
  const header = new Uint8Array(padded(FIXED_BYTES + keyBytes.length + tags.length));
  header.set(keyBytes, FIXED_BYTES);
  header.set(tags, FIXED_BYTES + keyBytes.length);
  const view = new DataView(header.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, FORMAT_VERSION);
  view.setUint8(6, codec);
  view.setUint8(7, DTYPE_BYTES);
  view.setUint32(8, slotBytes, true);
  view.setUint32(12, id, true);
  view.setFloat64(16, metadata.createdAt, true);
  view.setFloat64(24, metadata.expiresAt, true);
  view.setFloat64(32, metadata.staleUntil, true);
  view.setFloat64(40, metadata.version, true);
  view.setUint32(48, keyBytes.length, true);
  view.setUint16(52, tags.length, true);
  view.setUint16(54, utf16 ? FLAG_UTF16_KEY : 0, true);
  view.setUint32(56, crc32(header.subarray(FIXED_BYTES)), true);
  view.setUint32(60, crc32Portable(header, 0, SUMMED_HEADER_BYTES), true);
  return header;
}

/** What the first 64 bytes of a streamed frame tell. */
export interface StreamHeaderStart {
  /** Bytes before the first chunk. */
  readonly headerLength: number;
  /** From when on it is a miss, epoch milliseconds. */
  readonly expiresAt: number;
  /** Until when it may be served stale, epoch milliseconds. */
  readonly staleUntil: number;
  /** Newest wins. */
  readonly version: number;
}

/**
 * Reads and checks the first 64 bytes of a header.
 *
 * @throws {CacheError} `"unsupported-format"` for what is not known here, `"corrupt"` for anything else that is no undamaged header.
 */
export function decodeStreamHeaderStart(bytes: Uint8Array): StreamHeaderStart {
  const view = startOf(bytes);
  return {
    headerLength: padded(FIXED_BYTES + view.getUint32(48, true) + view.getUint16(52, true)),
    expiresAt: view.getFloat64(24, true),
    staleUntil: view.getFloat64(32, true),
    version: view.getFloat64(40, true),
  };
}

/**
 * Takes a header apart after checking all of it.
 *
 * @param bytes a frame, or as much of it as {@linkcode StreamHeaderStart.headerLength} says.
 * @throws {CacheError} as {@linkcode decodeStreamHeaderStart} does.
 */
export function decodeStreamHeader(bytes: Uint8Array): StreamHeader {
  const view = startOf(bytes);
  const keyEnd = FIXED_BYTES + view.getUint32(48, true);
  const tagsEnd = keyEnd + view.getUint16(52, true);
  const headerLength = padded(tagsEnd);
  if (bytes.length < headerLength) throw corrupt("its header is cut");
  if (crc32(bytes.subarray(FIXED_BYTES, headerLength)) !== view.getUint32(56, true)) {
    throw corrupt("checksum of key and tags differs");
  }
  return {
    headerLength,
    slotBytes: view.getUint32(8, true),
    codec: view.getUint8(6),
    id: view.getUint32(12, true),
    key: decodeKey(bytes.subarray(FIXED_BYTES, keyEnd), view.getUint16(54, true) !== 0),
    metadata: {
      createdAt: view.getFloat64(16, true),
      expiresAt: view.getFloat64(24, true),
      staleUntil: view.getFloat64(32, true),
      version: view.getFloat64(40, true),
      tags: decodeTags(bytes.subarray(keyEnd, tagsEnd)),
    },
  };
}

/** The most bytes that a chunk has before the codec. */
export function chunkRoom({ headerLength, slotBytes }: StreamLayout, index: number): number {
  const lead = index === 0 ? headerLength % slotBytes : 0;
  return slotBytes - lead - CHUNK_HEADER_BYTES;
}

/** Writes the head of a chunk whose stored bytes stand behind it. */
export function sealChunk(
  chunk: Uint8Array,
  { id }: StreamLayout,
  index: number,
  rawLength: number,
): void {
  const view = new DataView(chunk.buffer, chunk.byteOffset, CHUNK_HEADER_BYTES);
  view.setUint32(0, chunk.length - CHUNK_HEADER_BYTES, true);
  view.setUint32(4, rawLength, true);
  view.setUint32(8, index, true);
  view.setUint32(12, sumOf(chunk, id), true);
}

/** Makes the end of a frame. */
export function encodeEnd(
  { id }: StreamLayout,
  chunks: number,
  rawLength: number,
  storedLength: number,
): Uint8Array {
  const end = new Uint8Array(END_BYTES);
  const view = new DataView(end.buffer);
  view.setUint32(8, chunks, true);
  view.setFloat64(16, rawLength, true);
  view.setFloat64(24, storedLength, true);
  view.setUint32(12, sumOf(end, id), true);
  return end;
}

/** Reads the head of a chunk, or of the end. What it says is checked by whoever knows what comes next. */
export function decodeChunkHead(bytes: Uint8Array): ChunkHead {
  const view = new DataView(bytes.buffer, bytes.byteOffset, CHUNK_HEADER_BYTES);
  return {
    storedLength: view.getUint32(0, true),
    rawLength: view.getUint32(4, true),
    index: view.getUint32(8, true),
    sum: view.getUint32(12, true),
  };
}

/** The sum of a chunk, or of the end, of a frame. */
export function sumOf(chunk: Uint8Array, id: number): number {
  return crc32(
    chunk.subarray(CHUNK_HEADER_BYTES),
    crc32Portable(chunk, id, SUMMED_PREFIX_BYTES),
  );
}

/** What refuses a streamed frame. */
export function corrupt(reason: string): CacheError {
  return new CacheError("corrupt", `Cannot decode streamed frame: ${reason}`);
}

/** The fixed part of a header, checked. */
function startOf(bytes: Uint8Array): DataView {
  if (bytes.length < FIXED_BYTES) throw corrupt(`${bytes.length} bytes are no frame`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, FIXED_BYTES);
  if (view.getUint32(0, true) !== MAGIC) throw corrupt("magic number is missing");
  const formatVersion = view.getUint8(4);
  if (formatVersion !== FORMAT_VERSION) throw unsupported(`format version ${formatVersion}`);
  if (view.getUint32(60, true) !== crc32Portable(bytes, 0, SUMMED_HEADER_BYTES)) {
    throw corrupt("checksum of the header differs");
  }
  const flags = view.getUint16(54, true);
  if ((flags & ~FLAG_UTF16_KEY) !== 0) throw unsupported(`flags ${flags}`);
  const serializer = view.getUint8(5);
  const dtype = view.getUint8(7);
  if (serializer !== 0 || dtype !== DTYPE_BYTES) {
    throw unsupported(`serializer ${serializer} with type ${dtype}`);
  }
  const slotBytes = view.getUint32(8, true);
  if (slotBytes % UNIT !== 0 || slotBytes < MIN_SLOT_BYTES || slotBytes > MAX_SLOT_BYTES) {
    throw corrupt(`slots of ${slotBytes} bytes are none`);
  }
  const version = view.getFloat64(40, true);
  if (!Number.isFinite(view.getFloat64(16, true))) throw corrupt("times are out of order");
  if (!(view.getFloat64(24, true) <= view.getFloat64(32, true))) {
    throw corrupt("times are out of order");
  }
  if (!Number.isFinite(version) || version < 0) throw corrupt("version stamp is none");
  if (flags !== 0 && view.getUint32(48, true) % 2 !== 0) {
    throw corrupt("half a character in the key");
  }
  return view;
}

function padded(length: number): number {
  return Math.ceil(length / UNIT) * UNIT;
}

function unsupported(what: string): CacheError {
  return new CacheError(
    "unsupported-format",
    `Cannot decode streamed frame: ${what} is not known here`,
  );
}
