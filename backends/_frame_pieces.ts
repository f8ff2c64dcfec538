import { CacheError } from "../src/errors.ts";
import type { StreamedEntry } from "../src/types.ts";

/** Some of the bytes of a frame. */
export interface FramePart {
  /** As many as were asked for, or fewer where they are the last. */
  readonly bytes: Uint8Array;
  /** Whether the frame has ended. */
  readonly isLast: boolean;
}

/** Reads the frame of an entry that is stored as a stream, and sees to it that it has the length that was said. */
export class FramePieces {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #entry: StreamedEntry;
  readonly #signal: AbortSignal;
  /** Ends the read under way. One for each read: what a promise for all of them keeps is never freed. */
  #reject: (reason: unknown) => void = () => {};
  readonly #onAbort: () => void;
  /** Bytes read so far. */
  length = 0;
  /** What the stream, or its reader's signal, has failed with: not to be taken for a failure of the store. */
  failure: { readonly reason: unknown } | undefined;

  /** @param signal ends the read. */
  constructor(entry: StreamedEntry, signal: AbortSignal) {
    this.#entry = entry;
    this.#signal = signal;
    this.#reader = entry.frame.getReader();
    this.#onAbort = () => this.#reject(signal.reason);
    signal.addEventListener("abort", this.#onAbort);
  }

  /**
   * Runs what stores the pieces, and lets go of the stream when that has ended.
   *
   * @throws what the stream fails with, in place of what the store makes of it: that is its owner's, and stays as it is.
   */
  async storedBy<T>(store: () => Promise<T>): Promise<T> {
    try {
      return await store();
    } catch (error) {
      throw this.failure === undefined ? error : this.failure.reason;
    } finally {
      this.end();
    }
  }

  /**
   * The next piece, `undefined` at the end.
   *
   * @throws what the stream fails with, or the signal's reason.
   * @throws {CacheError} `"backend"` when it has another length than it said.
   */
  async next(): Promise<Uint8Array | undefined> {
    try {
      return await this.#next();
    } catch (reason) {
      this.failure = { reason };
      throw reason;
    }
  }

  /**
   * Gathers the pieces into parts of a size, in buffers of their own. There is at least one.
   *
   * @param spare memory of parts of that size that nobody needs any more, to be
   * used again: some collectors leave hundreds of megabytes of them about.
   */
  async *parts(size: number, spare: Uint8Array[] = []): AsyncGenerator<FramePart> {
    const { frameLength = Infinity, release } = this.#entry;
    let left = frameLength;
    const newPart = (): Uint8Array => {
      const wanted = Math.min(size, left);
      const memory = spare.pop();
      return memory === undefined || memory.length < wanted
        ? new Uint8Array(wanted)
        : memory.subarray(0, wanted);
    };
    let part = newPart();
    let held = 0;
    for (let piece = await this.next(); piece !== undefined; piece = await this.next()) {
      for (let at = 0; at < piece.length;) {
        if (held === part.length) {
          yield { bytes: part, isLast: false };
          left -= held;
          part = newPart();
          held = 0;
        }
        const taken = piece.subarray(at, at + part.length - held);
        part.set(taken, held);
        held += taken.length;
        at += taken.length;
      }
      release?.(piece);
    }
    yield { bytes: part.subarray(0, held), isLast: true };
  }

  /** Lets go of the stream; one that is not at its end is cancelled. */
  end(reason?: unknown): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#reader.cancel(reason).catch(() => {});
  }

  async #next(): Promise<Uint8Array | undefined> {
    this.#signal.throwIfAborted();
    const { done, value } = await this.#read();
    const { frameLength, key } = this.#entry;
    if (!done) this.length += value.length;
    if (
      frameLength !== undefined && (done ? this.length !== frameLength : this.length > frameLength)
    ) {
      throw new CacheError(
        "backend",
        `Cannot store stream: it has ${
          done ? "" : "at least "
        }${this.length} bytes instead of ${frameLength}`,
        { key },
      );
    }
    return value;
  }

  #read(): Promise<ReadableStreamReadResult<Uint8Array>> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      this.#reader.read().then(resolve, reject);
    });
  }
}
