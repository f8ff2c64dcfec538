import { crc32, crc32Portable } from "../src/entry/checksum.ts";
import { CacheError } from "../src/errors.ts";
import { slotOf, tagOfSlot } from "./_hash_slot.ts";

/*
 * The record of an entry in Redis whose frame is in chunks. All numbers are
 * little-endian; times and version stand where a frame has them (byte table in
 * src/entry/frame.ts), for the script of _newest_script.ts.
 *
 *   offset  type  field
 *        0  u32   magic, the letters "STRA"
 *        4  u8    128, where a frame has its format version
 *        5  u8×3  zeros
 *        8  f64   bytes of the frame
 *       16  u32   bytes of a chunk, of which the last has fewer
 *       20  u32   zeros
 *       24  f64   expires
 *       32  f64   stale until
 *       40  f64   version stamp
 *       48  u8×8  zeros
 *       56  u32   zeros
 *       60  u32   CRC-32 of all other bytes
 *       64  38    "{", four letters, "}" and 32 hexadecimal digits
 *
 * Chunks are the fields of one hash, by their numbers from 0. It is named by
 * the last 38 bytes, which no other write has: a reader has the chunks of one
 * write, or finds none. The braces bring it into the slot of the entry, so
 * that a script can show an entry, and drop the chunks of the one before, in
 * one step.
 */

/** Bytes of a reference. A multiple of three, so that its base64 has no padding. */
export const REFERENCE_BYTES = 102;

/** Where the name of the chunks begins. */
export const REFERENCE_NAME_AT = 64;

/** What the format version of a frame is instead. */
export const REFERENCE_VERSION = 128;

const MAGIC = 0x41525453;
const NAME = /^\{[0-9a-z]{4}\}[0-9a-f]{32}$/;

/** What a reference tells. */
export interface StreamReference {
  /** Names the chunks, behind the prefix of streams. */
  readonly name: string;
  /** Bytes of the frame. */
  readonly frameLength: number;
  /** Bytes of a chunk. */
  readonly chunkBytes: number;
  /** From when on it is a miss, epoch milliseconds. */
  readonly expiresAt: number;
  /** Until when it may be served stale, epoch milliseconds. */
  readonly staleUntil: number;
  /** Newest wins. */
  readonly version: number;
}

/** A name for the chunks of a stored key that no other write has. */
export function newChunksName(stored: string): string {
  return `{${tagOfSlot(slotOf(stored))}}${crypto.randomUUID().replaceAll("-", "")}`;
}

/** Whether a record is a reference, damaged or not. */
export function isReference(record: Uint8Array): boolean {
  return record.length === REFERENCE_BYTES && record[4] === REFERENCE_VERSION &&
    record[0] === 0x53 && record[1] === 0x54 && record[2] === 0x52 && record[3] === 0x41;
}

/** Writes a reference. */
export function encodeReference(reference: StreamReference): Uint8Array {
  const bytes = new Uint8Array(REFERENCE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, REFERENCE_VERSION);
  view.setFloat64(8, reference.frameLength, true);
  view.setUint32(16, reference.chunkBytes, true);
  view.setFloat64(24, reference.expiresAt, true);
  view.setFloat64(32, reference.staleUntil, true);
  view.setFloat64(40, reference.version, true);
  bytes.set(new TextEncoder().encode(reference.name), REFERENCE_NAME_AT);
  view.setUint32(60, sumOf(bytes), true);
  return bytes;
}

/**
 * Reads a reference.
 *
 * @throws {CacheError} `"corrupt"` when it is damaged.
 */
export function decodeReference(bytes: Uint8Array): StreamReference {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const name = new TextDecoder("latin1").decode(bytes.subarray(REFERENCE_NAME_AT));
  const frameLength = isReference(bytes) ? view.getFloat64(8, true) : 0;
  const isSound = Number.isSafeInteger(frameLength) && frameLength > 0 &&
    view.getUint32(60, true) === sumOf(bytes) && view.getUint32(16, true) > 0 && NAME.test(name);
  if (!isSound) throw new CacheError("corrupt", "Cannot read chunks: what names them is damaged");
  return {
    name,
    frameLength,
    chunkBytes: view.getUint32(16, true),
    expiresAt: view.getFloat64(24, true),
    staleUntil: view.getFloat64(32, true),
    version: view.getFloat64(40, true),
  };
}

/** The name of the chunks that belong to what a record begins with, `undefined` where it has none. */
export function chunksNameOf(start: Uint8Array): string | undefined {
  const record = start.subarray(0, REFERENCE_BYTES);
  if (!isReference(record)) return undefined;
  try {
    return decodeReference(record).name;
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    return undefined;
  }
}

function sumOf(bytes: Uint8Array): number {
  return crc32(bytes.subarray(REFERENCE_NAME_AT), crc32Portable(bytes, 0, 60));
}
