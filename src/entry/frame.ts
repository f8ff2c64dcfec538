import { CacheError } from "../errors.ts";
import { crc32, crc32Portable } from "./checksum.ts";
import { isDtype, isDtypeLength } from "./dtype.ts";

/*
 * Frame, version 1; version 2, of streams, is in stream_frame.ts. All numbers
 * are little-endian.
 *
 *   offset  type  field
 *        0  u32   magic 0x41525453, the letters "STRA"
 *        4  u8    format version, 1
 *        5  u8    serializer: 0 none (binary value), else its id
 *        6  u8    codec: 0 stored as it is, else its id
 *        7  u8    dtype of a binary value, else 0
 *        8  u32   length of the payload as stored, in bytes
 *       12  u32   length of the payload before the codec, in bytes
 *       16  f64   created, epoch milliseconds
 *       24  f64   expires, epoch milliseconds, Infinity for never
 *       32  f64   stale until, epoch milliseconds, not before "expires"
 *       40  f64   version stamp
 *       48  u32   length of the key, in bytes
 *       52  u16   length of the tags, in bytes
 *       54  u16   flags: bit 0, the key is UTF-16LE instead of UTF-8; the others are 0
 *       56  u32   CRC-32 of all that follows the header
 *       60  u32   CRC-32 of bytes 0 to 59
 *       64        payload, zeros up to a multiple of 4, key, tags
 *
 * The payload starts at 64, so that a typed array is a view of a frame whose
 * buffer is aligned. A key with lone surrogates has no UTF-8, hence the flag.
 * Tags are a JSON array of strings; no tags, no bytes. The header has a sum of
 * its own, so that a store can trust times and lengths without the value.
 */

/** Bytes before the payload. */
export const FRAME_HEADER_BYTES = 64;

const MAGIC = 0x41525453;
const FORMAT_VERSION = 1;
const FLAG_UTF16_KEY = 1;
const MAX_PAYLOAD_BYTES = 0xffff_ffff;
const MAX_TAGS_BYTES = 0xffff;
const SUMMED_HEADER_BYTES = 60;

/** What an entry carries besides its value. */
export interface EntryMetadata {
  /** When the value was set, epoch milliseconds. */
  readonly createdAt: number;
  /** From when on it is a miss, epoch milliseconds; `Infinity` for never. */
  readonly expiresAt: number;
  /** Until when it may be served stale, epoch milliseconds; not before `expiresAt`. */
  readonly staleUntil: number;
  /** Newest wins: grows with every write of a process and follows its clock. */
  readonly version: number;
  /** Names under which entries are dropped together. */
  readonly tags: readonly string[];
  /**
   * What it costs to get the value again, in a unit that is the same for all
   * entries. Not part of the frame: only the process that has made it knows it.
   */
  readonly cost?: number | undefined;
}

/** A value as bytes, and what it takes to bring it back. */
export interface Payload {
  /** The bytes as stored. */
  readonly bytes: Uint8Array;
  /** Their number before the codec. */
  readonly rawLength: number;
  /** Id of the serializer, 0 for a binary value. */
  readonly serializer: number;
  /** Id of the codec, 0 for none. */
  readonly codec: number;
  /** Type of a binary value, else 0. */
  readonly dtype: number;
}

/** What the header of a frame tells without the rest. */
export interface FrameHeader {
  /** Bytes of the whole frame. */
  readonly frameLength: number;
  /** Id of the serializer, 0 for a binary value. */
  readonly serializer: number;
  /** Id of the codec, 0 for none. */
  readonly codec: number;
  /** Type of a binary value, else 0. */
  readonly dtype: number;
  /** Bytes of the payload as stored. */
  readonly storedLength: number;
  /** Bytes of the payload before the codec. */
  readonly rawLength: number;
  /** Bytes of the key. */
  readonly keyLength: number;
  /** Bytes of the tags. */
  readonly tagsLength: number;
  /** Whether the key is UTF-16LE. */
  readonly utf16Key: boolean;
  /** When the value was set, epoch milliseconds. */
  readonly createdAt: number;
  /** From when on it is a miss, epoch milliseconds. */
  readonly expiresAt: number;
  /** Until when it may be served stale, epoch milliseconds. */
  readonly staleUntil: number;
  /** Newest wins. */
  readonly version: number;
}

/** A frame taken apart. The payload is a view of it. */
export interface ParsedFrame {
  /** The key that the frame was written for. */
  readonly key: string;
  /** Times, version and tags. */
  readonly metadata: EntryMetadata;
  /** The value's bytes. */
  readonly payload: Payload;
}

/** Characters up to which a loop beats the calls into TextEncoder and TextDecoder. */
const LOOP_LENGTH = 96;

/** The header in the making: filled and copied without a pause, never kept. A view for each frame would cost more than filling it. */
const headerBytes = new Uint8Array(FRAME_HEADER_BYTES);
const headerView = new DataView(headerBytes.buffer);

const NO_BYTES = new Uint8Array(0);
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NO_TAGS: readonly string[] = Object.freeze([]);

/** The bytes by which stores know a key, and whether they are UTF-16LE because the key has lone surrogates. */
export function encodeKey(key: string): { bytes: Uint8Array; utf16: boolean } {
  if (key.isWellFormed()) return { bytes: encoder.encode(key), utf16: false };
  const bytes = new Uint8Array(key.length * 2);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < key.length; at++) view.setUint16(at * 2, key.charCodeAt(at), true);
  return { bytes, utf16: true };
}

/**
 * The key of such bytes.
 *
 * @throws {CacheError} `"corrupt"` when they are not UTF-8 and should be.
 */
export function decodeKey(bytes: Uint8Array, utf16: boolean): string {
  return utf16 ? decodeUtf16(bytes) : decodeUtf8(bytes);
}

/**
 * Writes a frame into a buffer of its own.
 *
 * @throws {RangeError} when the payload is 4 GiB or more, or the tags are too long.
 */
export function encodeFrame(key: string, metadata: EntryMetadata, payload: Payload): Uint8Array {
  const { bytes } = payload;
  if (bytes.length > MAX_PAYLOAD_BYTES || payload.rawLength > MAX_PAYLOAD_BYTES) {
    throw new RangeError(
      `Cannot encode value: a frame holds at most 4 GiB: value has ${payload.rawLength} bytes: use setStream for larger ones`,
    );
  }
  const tags = encodeTags(metadata.tags);
  const keyStart = FRAME_HEADER_BYTES + padded(bytes.length);
  // Most keys are ASCII: room for that is made first, and made anew only when it is too small.
  let keyLength = key.length;
  let utf16 = false;
  let frame = new Uint8Array(keyStart + keyLength + tags.length);
  if (!writeAscii(key, frame, keyStart)) {
    const encodedKey = encodeKey(key);
    utf16 = encodedKey.utf16;
    keyLength = encodedKey.bytes.length;
    frame = new Uint8Array(keyStart + keyLength + tags.length);
    frame.set(encodedKey.bytes, keyStart);
  }
  frame.set(bytes, FRAME_HEADER_BYTES);
  if (tags.length > 0) frame.set(tags, keyStart + keyLength);
  headerView.setUint32(0, MAGIC, true);
  headerView.setUint8(4, FORMAT_VERSION);
  headerView.setUint8(5, payload.serializer);
  headerView.setUint8(6, payload.codec);
  headerView.setUint8(7, payload.dtype);
  headerView.setUint32(8, bytes.length, true);
  headerView.setUint32(12, payload.rawLength, true);
  headerView.setFloat64(16, metadata.createdAt, true);
  headerView.setFloat64(24, metadata.expiresAt, true);
  headerView.setFloat64(32, metadata.staleUntil, true);
  headerView.setFloat64(40, metadata.version, true);
  headerView.setUint32(48, keyLength, true);
  headerView.setUint16(52, tags.length, true);
  headerView.setUint16(54, utf16 ? FLAG_UTF16_KEY : 0, true);
  headerView.setUint32(56, crc32(frame.subarray(FRAME_HEADER_BYTES)), true);
  headerView.setUint32(60, crc32Portable(headerBytes, 0, SUMMED_HEADER_BYTES), true);
  frame.set(headerBytes, 0);
  return frame;
}

/**
 * Reads and checks the header of a frame.
 *
 * @param bytes the frame, or at least its first {@linkcode FRAME_HEADER_BYTES} bytes.
 * @throws {CacheError} `"unsupported-format"` for another version, `"corrupt"` for anything else that is no undamaged header.
 */
export function decodeFrameHeader(bytes: Uint8Array): FrameHeader {
  if (bytes.length < FRAME_HEADER_BYTES) throw corrupt(`${bytes.length} bytes are no frame`);
  return readHeader(bytes, new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES));
}

/**
 * Takes a frame apart after checking all of it.
 *
 * @param frame one whole frame; the parsed payload is a view of it.
 * @param expectedKey the key that was asked for, which spares making a string of the one in the frame when they are equal.
 * @throws {CacheError} `"unsupported-format"` for another version, `"corrupt"` for anything else that is not a whole, undamaged frame.
 */
export function decodeFrame(frame: Uint8Array, expectedKey?: string): ParsedFrame {
  if (frame.length < FRAME_HEADER_BYTES) throw corrupt(`${frame.length} bytes are no frame`);
  const view = new DataView(frame.buffer, frame.byteOffset, FRAME_HEADER_BYTES);
  const header = readHeader(frame, view);
  if (header.frameLength !== frame.length) throw corrupt("lengths do not add up");
  if (view.getUint32(56, true) !== crc32(frame.subarray(FRAME_HEADER_BYTES))) {
    throw corrupt("checksum of the body differs");
  }
  const tagsStart = frame.length - header.tagsLength;
  const keyStart = tagsStart - header.keyLength;
  return {
    key: expectedKey !== undefined && !header.utf16Key &&
        isAscii(expectedKey, frame, keyStart, tagsStart)
      ? expectedKey
      : decodeKey(frame.subarray(keyStart, tagsStart), header.utf16Key),
    metadata: {
      createdAt: header.createdAt,
      expiresAt: header.expiresAt,
      staleUntil: header.staleUntil,
      version: header.version,
      tags: decodeTags(frame.subarray(tagsStart)),
    },
    payload: {
      bytes: frame.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + header.storedLength),
      rawLength: header.rawLength,
      serializer: header.serializer,
      codec: header.codec,
      dtype: header.dtype,
    },
  };
}

function readHeader(bytes: Uint8Array, view: DataView): FrameHeader {
  if (view.getUint32(0, true) !== MAGIC) throw corrupt("magic number is missing");
  const formatVersion = view.getUint8(4);
  if (formatVersion !== FORMAT_VERSION) throw unsupported(`format version ${formatVersion}`);
  if (view.getUint32(60, true) !== crc32Portable(bytes, 0, SUMMED_HEADER_BYTES)) {
    throw corrupt("checksum of the header differs");
  }
  const flags = view.getUint16(54, true);
  if ((flags & ~FLAG_UTF16_KEY) !== 0) throw unsupported(`flags ${flags}`);
  const storedLength = view.getUint32(8, true);
  const keyLength = view.getUint32(48, true);
  const tagsLength = view.getUint16(52, true);
  const header: FrameHeader = {
    frameLength: FRAME_HEADER_BYTES + padded(storedLength) + keyLength + tagsLength,
    serializer: view.getUint8(5),
    codec: view.getUint8(6),
    dtype: view.getUint8(7),
    storedLength,
    rawLength: view.getUint32(12, true),
    keyLength,
    tagsLength,
    utf16Key: flags === FLAG_UTF16_KEY,
    createdAt: view.getFloat64(16, true),
    expiresAt: view.getFloat64(24, true),
    staleUntil: view.getFloat64(32, true),
    version: view.getFloat64(40, true),
  };
  checkHeader(header);
  return header;
}

/** Refuses what no writer writes, though its sum be right. */
function checkHeader(header: FrameHeader): void {
  const { serializer, codec, dtype, storedLength, rawLength, createdAt, version } = header;
  if (codec === 0 && rawLength !== storedLength) throw corrupt("lengths differ without a codec");
  if (serializer !== 0) {
    if (dtype !== 0) throw corrupt("it has both a serializer and a type");
  } else if (!isDtype(dtype)) {
    throw unsupported(`type ${dtype}`);
  } else if (!isDtypeLength(dtype, rawLength)) {
    throw corrupt(`${rawLength} bytes are no whole elements of type ${dtype}`);
  }
  if (!Number.isFinite(createdAt) || !(header.expiresAt <= header.staleUntil)) {
    throw corrupt("times are out of order");
  }
  if (!Number.isFinite(version) || version < 0) throw corrupt("version stamp is none");
  if (header.utf16Key && header.keyLength % 2 !== 0) throw corrupt("half a character in the key");
}

/** Tags as a frame holds them. @throws {RangeError} when they are too long. */
export function encodeTags(tags: readonly string[]): Uint8Array {
  if (tags.length === 0) return NO_BYTES;
  const bytes = encoder.encode(JSON.stringify(tags));
  if (bytes.length > MAX_TAGS_BYTES) {
    throw new RangeError(
      `Cannot encode tags: they hold at most ${MAX_TAGS_BYTES} bytes as JSON: current value has ${bytes.length}`,
    );
  }
  return bytes;
}

/** Writes text that is ASCII. @returns `false` when it is not, and there may be some of it. */
function writeAscii(text: string, target: Uint8Array, start: number): boolean {
  const { length } = text;
  if (length > LOOP_LENGTH) {
    return encoder.encodeInto(text, target.subarray(start, start + length)).read === length;
  }
  for (let at = 0; at < length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) return false;
    target[start + at] = unit;
  }
  return true;
}

/** Tells whether bytes are this text in ASCII; `false` also for text too long to be worth the loop. */
function isAscii(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  const { length } = text;
  if (length !== end - start || length > LOOP_LENGTH) return false;
  for (let at = 0; at < length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f || unit !== bytes[start + at]) return false;
  }
  return true;
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    throw corrupt("text is not UTF-8", error);
  }
}

function decodeUtf16(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let text = "";
  for (let at = 0; at < bytes.length; at += 2) {
    text += String.fromCharCode(view.getUint16(at, true));
  }
  return text;
}

/** The tags of such bytes. @throws {CacheError} `"corrupt"` when they are none. */
export function decodeTags(bytes: Uint8Array): readonly string[] {
  if (bytes.length === 0) return NO_TAGS;
  const text = decodeUtf8(bytes);
  try {
    const tags: unknown = JSON.parse(text);
    if (Array.isArray(tags) && tags.every((tag) => typeof tag === "string")) return tags;
  } catch (error) {
    throw corrupt("tags are not JSON", error);
  }
  throw corrupt("tags are not a list of strings");
}

function corrupt(reason: string, cause?: unknown): CacheError {
  return new CacheError("corrupt", `Cannot decode frame: ${reason}`, { cause });
}

function unsupported(what: string): CacheError {
  return new CacheError("unsupported-format", `Cannot decode frame: ${what} is not known here`);
}
