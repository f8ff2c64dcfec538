import { streamHeaderLength } from "../entry/stream_frame.ts";
import { StreamFrameWriter, type WrittenChunk } from "../entry/stream_frame_writer.ts";
import { CacheError } from "../errors.ts";
import { show } from "../config.ts";
import type { StreamContext } from "./stream_parts.ts";
import type { SinkOutcome, StreamedMetadata, StreamSink } from "./stream_sink.ts";

/** Bytes that may wait in front of each tier. */
const QUEUE_BYTES = 1024 * 1024;

/** One stream to be written. */
export interface StreamWrite {
  /** As the tiers know it. */
  readonly key: string;
  /** Gives the value. */
  readonly source: ReadableStream<Uint8Array>;
  /** How long it lives, in milliseconds. */
  readonly ttl: number;
  /** As the tiers know them. */
  readonly tags: readonly string[];
  /** Exact number of bytes, where that is known. */
  readonly size: number | undefined;
  /** A stamp of when it began. */
  readonly version: number;
}

/**
 * Writes a stream to all tiers at once, at the pace of the slowest. A tier that
 * fails, or takes nothing for as long as its deadline, is left behind. All
 * tiers show the value only when the source has ended.
 *
 * @returns whether every tier that should hold it does.
 * @throws what the source fails with, or the signal's reason; nothing is left then.
 */
export async function writeStream(
  context: StreamContext,
  write: StreamWrite,
  signal: AbortSignal,
): Promise<boolean> {
  const { clock, fences, format, counts, events } = context;
  const { key, tags, ttl, version, size } = write;
  const createdAt = clock.now();
  const expiresAt = createdAt + ttl;
  const entry = { key, createdAt, expiresAt, staleUntil: expiresAt, version, tags };
  const frame = new StreamFrameWriter({
    headerLength: streamHeaderLength(key, tags),
    codec: format.codec,
    compressionMinBytes: format.compressionMinBytes,
  });
  const ticket = fences.openStream(key);
  const source = new SourceReader(write.source, size, signal);
  let sinks: readonly StreamSink[] = [];
  let result: "done" | "failed" = "failed";
  try {
    for (;;) {
      const piece = await source.next();
      if (piece === undefined) break;
      for (let at = 0; at < piece.length;) {
        at += frame.take(at === 0 ? piece : piece.subarray(at));
        if (!frame.isFull) continue;
        const chunk = await frame.seal();
        if (sinks.length === 0) sinks = begin(context, entry, size, frame);
        await push(sinks, chunk, signal, () => frame.reuse(chunk));
      }
      if (sinks.length > 0 && !sinks.some((sink) => sink.isOpen)) source.cancel("nobody takes it");
    }
    if (sinks.length > 0 && frame.isBegun && sinks.some((sink) => sink.isOpen)) {
      await push(sinks, await frame.seal(), signal);
    }
    if (tags.length > 0) await context.tags.prepare(entry);
    signal.throwIfAborted();
    const { rawLength } = frame;
    const isLatest = ticket.hand(version);
    if (!isLatest) {
      for (const sink of sinks) sink.abort(new Error("a later write, delete or clear has come"));
      await context.overtaken([key]);
    }
    let stored = true;
    if (isLatest && sinks.length === 0) {
      const value = rawLength === 0 ? new Uint8Array(0) : frame.begun;
      ({ stored } = await context.set({ key, value, ttl, tags, version }, signal));
    } else if (isLatest) {
      stored = await commit(context, entry, sinks, frame.end(), signal);
    }
    counts.streamWrites++;
    counts.streamBytesWritten += rawLength;
    result = "done";
    return stored;
  } catch (error) {
    for (const sink of sinks) sink.abort(error);
    source.cancel(error);
    counts.streamErrors++;
    throw error;
  } finally {
    ticket.close();
    source.release();
    if (events.has("stream")) {
      const bytes = frame.rawLength;
      events.emit("stream", { key, direction: "write", tier: undefined, bytes, result });
    }
  }
}

function begin(
  { tiers, format }: StreamContext,
  entry: StreamedMetadata,
  size: number | undefined,
  { layout }: StreamFrameWriter,
): StreamSink[] {
  return tiers.map((tier) =>
    tier.streams.sink({ entry, layout, size, format, queueBytes: QUEUE_BYTES })
  );
}

/**
 * Hands a chunk to every tier when all have room for it.
 *
 * @param onDone called when all have done with it, if all tell.
 */
async function push(
  sinks: readonly StreamSink[],
  chunk: WrittenChunk,
  signal: AbortSignal,
  onDone?: () => void,
): Promise<void> {
  const full = sinks.filter((sink) => sink.isOpen && !sink.hasRoom);
  // Together: each of those that stand still has the same time.
  if (full.length > 0) await Promise.all(full.map((sink) => sink.ready(signal)));
  let holders = sinks.length;
  const release = (): void => {
    if (--holders === 0) onDone?.();
  };
  for (const sink of sinks) sink.push(chunk, release);
}

async function commit(
  { wrote }: StreamContext,
  entry: StreamedMetadata,
  sinks: readonly StreamSink[],
  end: Uint8Array,
  signal: AbortSignal,
): Promise<boolean> {
  const outcomes = await Promise.all(sinks.map((sink) => sink.commit(end, signal)));
  return await wrote(entry, outcomes.map(ofWrite));
}

/** Only copies can come too late. */
function ofWrite(outcome: SinkOutcome): Exclude<SinkOutcome, "superseded"> {
  return outcome === "superseded" ? "failed" : outcome;
}

/** Reads what is to be written, and sees to it that it is what was promised. */
class SourceReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #size: number | undefined;
  readonly #signal: AbortSignal;
  /** Ends the read under way. One for each read: what a promise for all of them keeps is never freed. */
  #reject: (reason: unknown) => void = () => {};
  readonly #onAbort: () => void;
  #length = 0;
  #isOver = false;

  constructor(
    source: ReadableStream<Uint8Array>,
    size: number | undefined,
    signal: AbortSignal,
  ) {
    this.#reader = source.getReader();
    this.#size = size;
    this.#signal = signal;
    this.#onAbort = () => this.#reject(signal.reason);
    signal.addEventListener("abort", this.#onAbort);
  }

  /** The next piece, `undefined` at the end. */
  async next(): Promise<Uint8Array | undefined> {
    this.#signal.throwIfAborted();
    if (this.#isOver) return undefined;
    const { done, value } = await this.#read();
    if (done) {
      this.#isOver = true;
      if (this.#size !== undefined && this.#length !== this.#size) throw this.#wrongSize("");
      return undefined;
    }
    if (!(value instanceof Uint8Array)) {
      throw new TypeError(
        `Cannot set stream: it must give Uint8Array: it gave ${show(value)}`,
      );
    }
    // Otherwise what its owner has sent elsewhere would be missing, and nobody be told.
    if (value.length === 0 && (value.buffer as ArrayBuffer).detached === true) {
      throw new TypeError(
        "Cannot set stream: it gave a Uint8Array whose memory was transferred: give a copy",
      );
    }
    this.#length += value.length;
    if (this.#length > (this.#size ?? Infinity)) throw this.#wrongSize("at least ");
    return value;
  }

  /** Lets go of a source of which no more is wanted. */
  cancel(reason: unknown): void {
    this.#isOver = true;
    this.#reader.cancel(reason).catch(() => {});
  }

  /** Ends listening. */
  release(): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
  }

  #read(): Promise<ReadableStreamReadResult<Uint8Array>> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      this.#reader.read().then(resolve, reject);
    });
  }

  #wrongSize(least: string): CacheError {
    return new CacheError(
      "invalid-result",
      `Cannot set stream: it gave ${least}${this.#length} bytes, 'size' says ${this.#size}`,
    );
  }
}
