import { corrupt } from "./stream_frame.ts";

/** Takes the pieces of a stream for what they are: one run of bytes, to be taken in other pieces. */
export class PieceReader {
  readonly #read: () => Promise<ReadableStreamReadResult<Uint8Array>>;
  readonly #pieces: Uint8Array[] = [];
  #length = 0;
  #isEnded = false;

  /** @param read gives the next piece. */
  constructor(read: () => Promise<ReadableStreamReadResult<Uint8Array>>) {
    this.#read = read;
  }

  /** Whether so many bytes are there. */
  has(length: number): boolean {
    return this.#length >= length;
  }

  /** Waits until so many bytes are there. @returns `false` when the stream ends before. */
  async fill(length: number): Promise<boolean> {
    while (this.#length < length) {
      if (this.#isEnded) return false;
      const { done, value } = await this.#read();
      if (done) {
        this.#isEnded = true;
        return false;
      }
      if (value.length === 0) continue;
      this.#pieces.push(value);
      this.#length += value.length;
    }
    return true;
  }

  /** Whether nothing comes any more. */
  async isAtEnd(): Promise<boolean> {
    return !await this.fill(1);
  }

  /** Waits until so many bytes are there. @throws {CacheError} `"corrupt"` when the stream ends before. */
  async need(length: number): Promise<void> {
    if (!await this.fill(length)) throw corrupt("it is cut");
  }

  /** The first bytes of those that are there, which stay. */
  peek(length: number): Uint8Array {
    const [first] = this.#pieces;
    if (first !== undefined && first.length >= length) return first.subarray(0, length);
    return this.#copy(length);
  }

  /**
   * Takes the first bytes of those that are there.
   *
   * @returns bytes in a buffer of their own: a copy, unless they are a whole
   * piece that has its buffer for itself.
   */
  take(length: number): Uint8Array {
    const [first] = this.#pieces;
    if (first?.length === length && first.buffer.byteLength === length) {
      this.#pieces.shift();
      this.#length -= length;
      return first;
    }
    const taken = this.#copy(length);
    this.#drop(length);
    return taken;
  }

  /** Passes over bytes. @throws {CacheError} `"corrupt"` when the stream ends before. */
  async skip(length: number): Promise<void> {
    for (let left = length; left > 0;) {
      await this.need(1);
      const count = Math.min(left, this.#length);
      this.#drop(count);
      left -= count;
    }
  }

  #copy(length: number): Uint8Array {
    const copy = new Uint8Array(length);
    let at = 0;
    for (const piece of this.#pieces) {
      if (at === length) break;
      const part = piece.length <= length - at ? piece : piece.subarray(0, length - at);
      copy.set(part, at);
      at += part.length;
    }
    return copy;
  }

  #drop(length: number): void {
    let left = length;
    this.#length -= length;
    while (left > 0) {
      const first = this.#pieces[0]!;
      if (first.length > left) {
        this.#pieces[0] = first.subarray(left);
        return;
      }
      left -= first.length;
      this.#pieces.shift();
    }
  }
}
