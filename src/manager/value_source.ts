import { bytesOf, isBinary } from "../entry/dtype.ts";
import { SLOT_BYTES } from "../entry/stream_frame.ts";
import type { ByteRange } from "../types.ts";
import type { ReadChunk } from "./frame_source.ts";

/** The bytes of a value that is in memory, piece by piece. */
export class ValueSource {
  readonly #bytes: Uint8Array;
  #at = 0;

  /** @throws {TypeError} when the value is not bytes. */
  constructor(value: unknown, range: ByteRange | undefined) {
    if (!isBinary(value)) {
      throw new TypeError("Cannot get stream: the value is not bytes: read it with get");
    }
    const { offset, length } = range ?? { offset: 0, length: Infinity };
    this.#bytes = bytesOf(value).subarray(offset, offset + length);
  }

  /** The next piece, copied: the value is shared. */
  next(): Promise<Pick<ReadChunk, "raw"> | undefined> {
    if (this.#at >= this.#bytes.length) return Promise.resolve(undefined);
    const raw = this.#bytes.slice(this.#at, this.#at + SLOT_BYTES);
    this.#at += raw.length;
    return Promise.resolve({ raw });
  }

  /** Nothing has to be ended. */
  cancel(): void {}
}
