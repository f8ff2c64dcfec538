import { andThen, type MaybePromise } from "../maybe_promise.ts";
import type { Codec } from "../types.ts";
import { looksCompressible } from "./compressible.ts";
import {
  CHUNK_HEADER_BYTES,
  chunkRoom,
  encodeEnd,
  END_BYTES,
  newFrameId,
  sealChunk,
  SLOT_BYTES,
  type StreamLayout,
} from "./stream_frame.ts";

/** Compressed bytes are kept only when they are at most this share of the raw ones. */
const WORTHWHILE_SHARE = 15 / 16;

/** Options of {@linkcode StreamFrameWriter}. */
export interface StreamFrameWriterOptions {
  /** Bytes of the header that will stand before the chunks. */
  readonly headerLength: number;
  /** Compresses chunks that are worth it; `undefined` for none. */
  readonly codec?: Codec | undefined;
  /** A value of fewer bytes is not compressed. @default 0 */
  readonly compressionMinBytes?: number;
  /** Bytes of a slot. @default 256 KiB */
  readonly slotBytes?: number;
  /** Id of the frame. @default a random one */
  readonly id?: number;
}

/** A chunk of a frame, ready to be stored. */
export interface WrittenChunk {
  /** As it stands in the frame. */
  readonly bytes: Uint8Array;
  /** The value's bytes in it; may be a view of the same buffer. */
  readonly raw: Uint8Array;
}

/** Makes the chunks of one streamed frame out of bytes in pieces of any size. */
export class StreamFrameWriter {
  readonly #codec: Codec | undefined;
  readonly #compressionMinBytes: number;
  #layout: StreamLayout;
  #slot: Uint8Array;
  /** Memory of chunks that nobody uses any more: new memory for each keeps the garbage collector busy. */
  readonly #free: ArrayBufferLike[] = [];
  #filled = CHUNK_HEADER_BYTES;
  #chunks = 0;
  #rawLength = 0;
  #storedLength = 0;

  constructor(options: StreamFrameWriterOptions) {
    const { headerLength, slotBytes = SLOT_BYTES, id = newFrameId() } = options;
    this.#codec = options.codec;
    this.#compressionMinBytes = options.compressionMinBytes ?? 0;
    this.#layout = { headerLength, slotBytes, codec: 0, id };
    this.#slot = this.#newSlot();
  }

  /** How the frame is laid out; known once its first chunk has been sealed, or there is none. */
  get layout(): StreamLayout {
    return this.#layout;
  }

  /** Bytes of the value taken so far. */
  get rawLength(): number {
    return this.#rawLength + this.#filled - CHUNK_HEADER_BYTES;
  }

  /** Whether a chunk is full and has to be sealed. */
  get isFull(): boolean {
    return this.#filled === this.#slot.length;
  }

  /** Whether bytes were taken that are in no sealed chunk. */
  get isBegun(): boolean {
    return this.#filled > CHUNK_HEADER_BYTES;
  }

  /** The bytes taken that are in no sealed chunk; may be a view. */
  get begun(): Uint8Array {
    return this.#slot.subarray(CHUNK_HEADER_BYTES, this.#filled);
  }

  /**
   * Takes as many bytes as the chunk has room for, by copying them.
   *
   * @returns how many.
   */
  take(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, this.#slot.length - this.#filled);
    this.#slot.set(count === bytes.length ? bytes : bytes.subarray(0, count), this.#filled);
    this.#filled += count;
    return count;
  }

  /** Ends the chunk that was begun. */
  seal(): MaybePromise<WrittenChunk> {
    const whole = this.#slot.subarray(0, this.#filled);
    const raw = whole.subarray(CHUNK_HEADER_BYTES);
    const codec = this.#codecFor(raw);
    if (codec === undefined) return this.#sealed(whole, raw);
    return andThen(codec.encode(raw), (encoded) => {
      if (encoded.length === 0 || encoded.length > raw.length * WORTHWHILE_SHARE) {
        return this.#sealed(whole, raw);
      }
      const bytes = new Uint8Array(CHUNK_HEADER_BYTES + encoded.length);
      bytes.set(encoded, CHUNK_HEADER_BYTES);
      return this.#sealed(bytes, raw);
    });
  }

  /** Takes the memory of a sealed chunk back, of which there must be no user and no view. */
  reuse({ raw }: WrittenChunk): void {
    this.#free.push(raw.buffer);
  }

  /** The bytes after the last chunk. */
  end(): Uint8Array {
    return encodeEnd(this.#layout, this.#chunks, this.#rawLength, this.#storedLength);
  }

  /** What the first chunk looks like decides for the frame, so that one that does not shrink is laid out for ranges. */
  #codecFor(raw: Uint8Array): Codec | undefined {
    const codec = this.#codec;
    if (codec === undefined || (this.#chunks > 0 && this.#layout.codec === 0)) return undefined;
    if (raw.length < this.#compressionMinBytes && this.#chunks === 0) return undefined;
    if (!looksCompressible(raw)) return undefined;
    if (this.#chunks === 0) this.#layout = { ...this.#layout, codec: codec.id };
    return codec;
  }

  #sealed(bytes: Uint8Array, raw: Uint8Array): WrittenChunk {
    sealChunk(bytes, this.#layout, this.#chunks, raw.length);
    this.#chunks++;
    this.#rawLength += raw.length;
    this.#storedLength += bytes.length - CHUNK_HEADER_BYTES;
    this.#slot = this.#newSlot();
    this.#filled = CHUNK_HEADER_BYTES;
    return { bytes, raw };
  }

  #newSlot(): Uint8Array {
    const memory = this.#free.pop() ?? new ArrayBuffer(this.#layout.slotBytes);
    return new Uint8Array(memory, 0, CHUNK_HEADER_BYTES + chunkRoom(this.#layout, this.#chunks));
  }
}

/** Bytes of a whole frame without a codec. */
export function plainFrameLength(layout: StreamLayout, rawLength: number): number {
  const first = chunkRoom(layout, 0);
  const rest = Math.max(0, rawLength - first);
  const chunks = rawLength === 0 ? 0 : 1 + Math.ceil(rest / chunkRoom(layout, 1));
  return layout.headerLength + chunks * CHUNK_HEADER_BYTES + rawLength + END_BYTES;
}
