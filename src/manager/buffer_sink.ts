import { CacheEntry } from "../entry/entry.ts";
import type { WriteFormat } from "../entry/content.ts";
import type { WrittenChunk } from "../entry/stream_frame_writer.ts";
import type { SinkOutcome, StreamedMetadata, StreamSink } from "./stream_sink.ts";
import type { TierStreamsParts } from "./tier_streams.ts";

/** The most bytes that are collected for a tier that takes no streams, whatever its limits. */
export const MAX_BUFFERED_BYTES: number = 16 * 1024 * 1024;

/** How a stream comes into a tier as a value. */
export interface BufferSinkOptions {
  /** The entry. */
  readonly entry: StreamedMetadata;
  /** Bytes of the value, where that is known. */
  readonly size: number | undefined;
  /** How other tiers of the same kind write values. */
  readonly format: WriteFormat;
  /** For a copy from a slower tier: asked just before it is made visible. */
  readonly isCurrent?: (() => boolean) | undefined;
}

/** Collects a stream for a tier that keeps values, such as memory; gives it up when it becomes too large for that. */
export class BufferSink implements StreamSink {
  readonly #parts: TierStreamsParts;
  readonly #options: BufferSinkOptions;
  readonly #maxBytes: number;
  #pieces: Uint8Array[] = [];
  #length = 0;
  #isOpen: boolean;

  constructor(parts: TierStreamsParts, options: BufferSinkOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#maxBytes = Math.min(parts.limits.maxEntryBytes, MAX_BUFFERED_BYTES);
    this.#isOpen = (options.size ?? 0) <= this.#maxBytes;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get hasRoom(): boolean {
    return this.#isOpen;
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  push({ raw }: WrittenChunk, release?: () => void): void {
    if (this.#isOpen) this.#take(raw);
    release?.();
  }

  async commit(_end: Uint8Array, signal?: AbortSignal): Promise<SinkOutcome> {
    const { tier, guard, writer, counters } = this.#parts;
    const { entry, format, isCurrent } = this.#options;
    const { key, version } = entry;
    if (this.#isOpen) {
      const value = this.#joined();
      const whole = CacheEntry.of(key, value, entry, format);
      return isCurrent === undefined
        ? await tier.set(whole, signal)
        : await tier.promote(whole, isCurrent);
    }
    if (isCurrent !== undefined) return "declined";
    const erased = await guard.write(
      "write",
      [key],
      (options) => writer.erase(key, version, options),
      signal,
    );
    if (erased === "failed") return "failed";
    counters.declined++;
    return "declined";
  }

  abort(): void {
    this.#isOpen = false;
    this.#pieces = [];
  }

  #take(raw: Uint8Array): void {
    this.#length += raw.length;
    if (this.#length <= this.#maxBytes) {
      // A copy, which is then held for longer than the chunk, and whose reader may change it.
      this.#pieces.push(raw.slice());
    } else {
      this.abort();
    }
  }

  #joined(): Uint8Array {
    const value = new Uint8Array(this.#length);
    let at = 0;
    for (const piece of this.#pieces) {
      value.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [];
    return value;
  }
}
