import { CacheError, isCacheError } from "../errors.ts";
import type { MaybePromise } from "../maybe_promise.ts";
import type { Codec } from "../types.ts";
import {
  CHUNK_HEADER_BYTES,
  chunkRoom,
  corrupt,
  decodeChunkHead,
  END_BYTES,
  type StreamLayout,
  sumOf,
} from "./stream_frame.ts";

/** Checks the chunks of one streamed frame, one after another, before anything of them is used. */
export class StreamFrameReader {
  readonly #layout: StreamLayout;
  #index: number;
  #rawLength: number;
  #storedLength: number;
  #isLast = false;
  #isEnded = false;

  /** @param firstChunk where it begins; past 0 only without a codec. */
  constructor(layout: StreamLayout, firstChunk = 0) {
    this.#layout = layout;
    this.#index = firstChunk;
    this.#rawLength = startOfChunk(layout, firstChunk);
    this.#storedLength = this.#rawLength;
  }

  /** Whether the end has been checked. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Bytes of the value in the chunks checked so far. */
  get rawLength(): number {
    return this.#rawLength;
  }

  /**
   * Looks at the first 16 bytes of what comes next.
   *
   * @returns how long it is, and how many bytes of the value are in it; 0 for the end.
   * @throws {CacheError} `"corrupt"` when it cannot be what comes next.
   */
  next(head: Uint8Array): { readonly length: number; readonly rawLength: number } {
    const { storedLength, rawLength, index } = decodeChunkHead(head);
    if (index !== this.#index) throw corrupt(`part ${index} stands in place of ${this.#index}`);
    if (storedLength === 0) {
      if (rawLength !== 0) throw corrupt("a chunk is empty");
      return { length: END_BYTES, rawLength: 0 };
    }
    const room = chunkRoom(this.#layout, index);
    if (this.#isLast) throw corrupt("a chunk follows the last one");
    if (rawLength > room) throw corrupt(`chunk ${index} claims ${rawLength} bytes of ${room}`);
    if (storedLength > rawLength || (this.#layout.codec === 0 && storedLength !== rawLength)) {
      throw corrupt(`lengths of chunk ${index} do not fit`);
    }
    return { length: CHUNK_HEADER_BYTES + storedLength, rawLength };
  }

  /**
   * Checks a whole chunk, or the end.
   *
   * @returns the bytes as stored; `undefined` for the end.
   * @throws {CacheError} `"corrupt"` when it is damaged, or not what comes next.
   */
  check(chunk: Uint8Array): Uint8Array | undefined {
    const { rawLength } = this.next(chunk);
    if (sumOf(chunk, this.#layout.id) !== decodeChunkHead(chunk).sum) {
      throw corrupt(`checksum of part ${this.#index} differs`);
    }
    if (rawLength === 0) {
      this.#checkEnd(chunk);
      return undefined;
    }
    this.#count(rawLength, chunk.length - CHUNK_HEADER_BYTES);
    return chunk.subarray(CHUNK_HEADER_BYTES);
  }

  /** Passes over a chunk of which only the first 16 bytes have been looked at. */
  skip(head: Uint8Array): void {
    const { length, rawLength } = this.next(head);
    this.#count(rawLength, length - CHUNK_HEADER_BYTES);
  }

  #count(rawLength: number, storedLength: number): void {
    this.#isLast = rawLength < chunkRoom(this.#layout, this.#index);
    this.#index++;
    this.#rawLength += rawLength;
    this.#storedLength += storedLength;
  }

  #checkEnd(end: Uint8Array): void {
    const view = new DataView(end.buffer, end.byteOffset, END_BYTES);
    const [raw, stored] = [view.getFloat64(16, true), view.getFloat64(24, true)];
    if (raw !== this.#rawLength || stored !== this.#storedLength) {
      throw corrupt(`it has ${this.#rawLength} bytes instead of ${raw}`);
    }
    this.#isEnded = true;
  }
}

/**
 * The value's bytes in a chunk.
 *
 * @throws {CacheError} when the codec cannot make `rawLength` bytes of it.
 */
export function decodeChunk(
  stored: Uint8Array,
  rawLength: number,
  codec: Codec | undefined,
): MaybePromise<Uint8Array> {
  if (stored.length === rawLength || codec === undefined) return stored;
  const refuse = (cause: unknown): never => {
    if (isCacheError(cause)) throw cause;
    throw new CacheError("corrupt", `Cannot decode chunk: bytes are not ${codec.name}`, {
      codec: codec.name,
      cause,
    });
  };
  const check = (bytes: Uint8Array): Uint8Array => {
    if (bytes.length === rawLength) return bytes;
    throw new CacheError(
      "decoded-size",
      `Cannot decode chunk: it decodes to ${bytes.length} bytes instead of ${rawLength}`,
      { codec: codec.name },
    );
  };
  try {
    const bytes = codec.decode(stored, { length: rawLength });
    return bytes instanceof Promise ? bytes.then(check).catch(refuse) : check(bytes);
  } catch (cause) {
    return refuse(cause);
  }
}

/** Where the bytes of a chunk begin in the value, if all chunks before it are full. */
export function startOfChunk(layout: StreamLayout, index: number): number {
  return index === 0 ? 0 : chunkRoom(layout, 0) + (index - 1) * chunkRoom(layout, 1);
}

/** The chunk that has a byte of the value. */
export function chunkAt(layout: StreamLayout, offset: number): number {
  const first = chunkRoom(layout, 0);
  return offset < first ? 0 : 1 + Math.floor((offset - first) / chunkRoom(layout, 1));
}

/** Where a chunk begins in a frame without a codec. */
export function chunkOffset(layout: StreamLayout, index: number): number {
  return layout.headerLength + startOfChunk(layout, index) + index * CHUNK_HEADER_BYTES;
}

/** Bytes of the value in a frame without a codec, `undefined` when no such frame is that long. */
export function plainValueLength(layout: StreamLayout, frameLength: number): number | undefined {
  const body = frameLength - layout.headerLength - END_BYTES;
  if (body === 0) return 0;
  const first = CHUNK_HEADER_BYTES + chunkRoom(layout, 0);
  const chunks = body <= first ? 1 : 1 + Math.ceil((body - first) / layout.slotBytes);
  const length = body - chunks * CHUNK_HEADER_BYTES;
  return length > startOfChunk(layout, chunks - 1) ? length : undefined;
}
