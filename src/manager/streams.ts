import { CacheError } from "../errors.ts";
import { StreamCounts } from "../observability/stats.ts";
import type { StreamContext, StreamParts } from "./stream_parts.ts";
import { readStream, type StreamRead } from "./stream_read.ts";
import { type StreamWrite, writeStream } from "./stream_write.ts";

/** Moves streams in and out of all tiers. Keys and tags are as the tiers know them. */
export class Streams {
  /** What was done. */
  readonly counts: StreamCounts = new StreamCounts();
  readonly #context: StreamContext;
  readonly #closed = new AbortController();
  readonly #writing = new Set<Promise<unknown>>();

  constructor(parts: StreamParts) {
    this.#context = { ...parts, counts: this.counts };
  }

  /** Writes a stream to every tier that takes it. @returns whether every tier that should hold it does. */
  async set(write: StreamWrite, signal?: AbortSignal): Promise<boolean> {
    const writing = writeStream(this.#context, write, this.#until(signal));
    const ended = writing.catch(() => {}).finally(() => this.#writing.delete(ended));
    this.#writing.add(ended);
    return await writing;
  }

  /** Reads a stream; `undefined` on a miss. */
  get(read: StreamRead, signal?: AbortSignal): Promise<ReadableStream<Uint8Array> | undefined> {
    return readStream(this.#context, read, this.#until(signal));
  }

  /** Ends the streams under way, in both directions. */
  async close(): Promise<void> {
    this.#closed.abort(new CacheError("closed", "Cannot go on with stream: cache is closed"));
    await Promise.all(this.#writing);
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    const closed = this.#closed.signal;
    return signal === undefined ? closed : AbortSignal.any([signal, closed]);
  }
}
