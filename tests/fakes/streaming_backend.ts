import { CacheEntry } from "../../src/entry/entry.ts";
import { CacheError } from "../../src/errors.ts";
import { compileGlob } from "../../src/glob.ts";
import type {
  BackendStats,
  CacheBackend,
  Clock,
  FrameReadOptions,
  OperationOptions,
  StoredFrame,
  StreamedEntry,
  VersionedOutcome,
} from "../../src/types.ts";

interface Held {
  readonly frame: Uint8Array;
  readonly expiresAt: number;
}

/** The least that takes and gives streams: a `Map` of frames. */
export class StreamingBackend implements CacheBackend {
  readonly name: string;
  /** What it holds, to be looked at and damaged. */
  readonly held: Map<string, Held> = new Map();
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #closed = new AbortController();

  /** @param maxBytes of one frame. */
  constructor(clock: Clock, name = "streaming", maxBytes = Infinity) {
    this.#clock = clock;
    this.name = name;
    this.#maxBytes = maxBytes;
  }

  async get(key: string, options?: OperationOptions): Promise<CacheEntry | undefined> {
    await this.#begin(options);
    const held = this.#live(key);
    return held && CacheEntry.decode(key, new Uint8Array(held.frame));
  }

  async set(key: string, entry: CacheEntry, options?: OperationOptions): Promise<boolean> {
    await this.#begin(options);
    const frame = new Uint8Array(await entry.encode());
    const isStored = frame.length <= this.#maxBytes;
    this.held.delete(key);
    if (isStored) this.held.set(key, { frame, expiresAt: entry.expiresAt });
    return isStored;
  }

  async delete(key: string, options?: OperationOptions): Promise<boolean> {
    await this.#begin(options);
    const wasLive = this.#live(key) !== undefined;
    this.held.delete(key);
    return wasLive;
  }

  async exists(key: string, options?: OperationOptions): Promise<boolean> {
    await this.#begin(options);
    return this.#live(key) !== undefined;
  }

  async clear(pattern = "*", options?: OperationOptions): Promise<number> {
    await this.#begin(options);
    const doomed = [...this.held.keys()].filter(compileGlob(pattern));
    const live = doomed.filter((key) => this.#live(key) !== undefined);
    for (const key of doomed) this.held.delete(key);
    return live.length;
  }

  async getStats(): Promise<BackendStats> {
    await this.#begin();
    return { entries: this.held.size };
  }

  async setStream(
    key: string,
    entry: StreamedEntry,
    options?: OperationOptions,
  ): Promise<VersionedOutcome> {
    const { frame, frameLength, expiresAt } = entry;
    const reader = frame.getReader();
    try {
      await this.#begin(options);
      const pieces = await this.#collect(reader, options?.signal);
      if (pieces === undefined) {
        this.held.delete(key);
        return "declined";
      }
      const bytes = new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
      if (frameLength !== undefined && bytes.length !== frameLength) {
        throw new CacheError(
          "backend",
          `Cannot store ${bytes.length} bytes: ${frameLength} were said`,
        );
      }
      this.held.delete(key);
      if (expiresAt > this.#clock.now()) this.held.set(key, { frame: bytes, expiresAt });
      return "stored";
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  async getStream(key: string, options?: FrameReadOptions): Promise<StoredFrame | undefined> {
    await this.#begin(options);
    const held = this.#live(key);
    if (held === undefined) return undefined;
    const { offset, length } = options?.range ?? { offset: 0, length: Infinity };
    let rest = held.frame.slice(offset, offset + length);
    const signal = options?.signal;
    const frame = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        if (signal?.aborted) return controller.error(signal.reason);
        if (rest.length === 0) return controller.close();
        controller.enqueue(rest.slice(0, 50_000));
        rest = rest.subarray(50_000);
      },
    }, { highWaterMark: 0 });
    return { frameLength: held.frame.length, frame };
  }

  close(): Promise<void> {
    this.#closed.abort(
      new CacheError("closed", `Cannot use backend ${this.name}: it is closed`),
    );
    this.held.clear();
    return Promise.resolve();
  }

  /** All pieces of a stream; `undefined` when they are too many. */
  async #collect(
    reader: ReadableStreamDefaultReader<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<Uint8Array[] | undefined> {
    const signals = [this.#closed.signal, ...(signal ? [signal] : [])];
    const ended = AbortSignal.any(signals);
    let reject: (reason: unknown) => void = () => {};
    const end = (): void => reject(ended.reason);
    ended.addEventListener("abort", end);
    try {
      const pieces: Uint8Array[] = [];
      let length = 0;
      for (;;) {
        ended.throwIfAborted();
        const { done, value } = await new Promise<ReadableStreamReadResult<Uint8Array>>(
          (resolve, fail) => {
            reject = fail;
            reader.read().then(resolve, fail);
          },
        );
        if (done) return pieces;
        pieces.push(value);
        length += value.length;
        if (length > this.#maxBytes) return undefined;
      }
    } finally {
      ended.removeEventListener("abort", end);
    }
  }

  #begin(options?: OperationOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    return Promise.resolve();
  }

  #live(key: string): Held | undefined {
    const held = this.held.get(key);
    return held !== undefined && held.expiresAt > this.#clock.now() ? held : undefined;
  }
}
