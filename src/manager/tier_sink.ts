import { encodeStreamHeader, type StreamLayout } from "../entry/stream_frame.ts";
import { plainFrameLength, type WrittenChunk } from "../entry/stream_frame_writer.ts";
import { CacheError } from "../errors.ts";
import type { VersionedOutcome } from "../types.ts";
import type { SinkOutcome, StreamedMetadata, StreamSink } from "./stream_sink.ts";
import type { Superseded } from "./tier_guard.ts";
import type { TierStreamsParts } from "./tier_streams.ts";

/** How a stream comes into a tier. */
export interface SinkOptions {
  /** The entry, as it lives in the tier. */
  readonly entry: StreamedMetadata;
  /** How the frame is laid out. */
  readonly layout: StreamLayout;
  /** Bytes of the value, where that is known. */
  readonly size: number | undefined;
  /** Bytes that may wait to be written. */
  readonly queueBytes: number;
  /** For a copy from a slower tier: asked just before it is made visible. A write has no such question. */
  readonly isCurrent?: (() => boolean) | undefined;
}

/** Far more than waits anywhere: a stream tells of each piece that is taken only while it wants more. */
const UNFILLED_BYTES = 2 ** 40;

/** Streams a frame into a backend that takes streams. Only the end of the frame waits for other writes of the key. */
export class TierSink implements StreamSink {
  readonly #parts: TierStreamsParts;
  readonly #options: SinkOptions;
  readonly #abort = new AbortController();
  readonly #result: Promise<VersionedOutcome | "failed">;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  /** Resolved when the backend takes something, or nothing any more. */
  #move: PromiseWithResolvers<void> | undefined;
  #frameBytes = 0;
  /** Of chunks that the backend has not done with. */
  readonly #releases = new WeakMap<Uint8Array, () => void>();
  /** What became of it before its end. */
  #early: SinkOutcome | undefined;
  #isClosing = false;
  /** Why it was not stored. */
  #failure: unknown;

  constructor(parts: TierStreamsParts, options: SinkOptions) {
    this.#parts = parts;
    this.#options = options;
    const { entry, layout, size, queueBytes } = options;
    const frame = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#controller = controller),
      pull: () => this.#moved(),
      cancel: () => this.#moved(),
    }, new ByteLengthQueuingStrategy({ highWaterMark: queueBytes + UNFILLED_BYTES }));
    const frameLength = size === undefined || layout.codec !== 0
      ? undefined
      : plainFrameLength(layout, size);
    if (frameLength !== undefined && frameLength > parts.limits.maxEntryBytes) {
      this.#early = "declined";
      this.#result = Promise.resolve("declined");
      return;
    }
    if (parts.guard.isDown) {
      this.#early = "failed";
      this.#result = Promise.resolve("failed");
      return;
    }
    this.#result = this.#store(frame, frameLength);
    this.#enqueue(encodeStreamHeader(entry.key, entry, layout));
  }

  get isOpen(): boolean {
    return this.#early === undefined;
  }

  get hasRoom(): boolean {
    return this.isOpen && (this.#controller.desiredSize ?? 0) > UNFILLED_BYTES;
  }

  async ready(signal?: AbortSignal): Promise<void> {
    while (this.isOpen && !this.hasRoom) {
      const move = this.#move ??= Promise.withResolvers();
      try {
        await this.#parts.deadlines.run("write", () => move.promise, signal);
      } catch (error) {
        signal?.throwIfAborted();
        this.#fail(error);
      }
    }
  }

  push({ bytes }: WrittenChunk, release?: () => void): void {
    if (!this.isOpen) {
      release?.();
      return;
    }
    if (release !== undefined) this.#releases.set(bytes, release);
    this.#enqueue(bytes);
  }

  async commit(end: Uint8Array, signal?: AbortSignal): Promise<SinkOutcome> {
    if (this.isOpen) this.#enqueue(end);
    const outcome = this.isOpen ? await this.#close(signal) : await this.#settle(signal);
    const { counters } = this.#parts;
    const isCopy = this.#options.isCurrent !== undefined;
    if (outcome === "stored") counters[isCopy ? "promotions" : "writes"]++;
    else if (outcome === "declined") counters.declined++;
    return outcome;
  }

  /** What stands under the key of a write that is declined, or has failed, is older and goes. */
  async #settle(signal: AbortSignal | undefined): Promise<SinkOutcome> {
    const { guard, writer } = this.#parts;
    const { entry: { key, version }, isCurrent } = this.#options;
    const early = this.#early!;
    if (isCurrent !== undefined || early === "outdated") return early;
    const erased = await guard.write(
      "write",
      [key],
      (options) => writer.erase(key, version, options),
      signal,
    );
    return erased === "failed" ? "failed" : early;
  }

  /** Closes the frame when its turn among the writes of the key has come. */
  async #close(signal: AbortSignal | undefined): Promise<SinkOutcome> {
    const { guard } = this.#parts;
    const { entry: { key }, isCurrent } = this.#options;
    let outcome: VersionedOutcome | "failed" | Superseded = "failed";
    try {
      outcome = await guard.write<VersionedOutcome>(
        "write",
        [key],
        async (options) => {
          const { signal } = options;
          signal?.addEventListener("abort", () => this.#abort.abort(signal.reason));
          this.#isClosing = true;
          if (this.isOpen) this.#controller.close();
          const stored = await this.#result;
          if (stored === "failed") throw this.#failure;
          return stored;
        },
        signal,
        isCurrent,
      );
    } finally {
      if (outcome === "failed" || outcome === "superseded") this.abort(new Error("given up"));
    }
    return outcome;
  }

  abort(reason: unknown): void {
    this.#early ??= "failed";
    this.#abort.abort(reason);
    this.#moved();
    try {
      this.#controller.error(reason);
    } catch {
      // It is closed, or was cancelled.
    }
  }

  async #store(
    frame: ReadableStream<Uint8Array>,
    frameLength: number | undefined,
  ): Promise<VersionedOutcome | "failed"> {
    const { backend } = this.#parts;
    const { entry } = this.#options;
    try {
      const outcome = await backend.setStream!(
        entry.key,
        { ...entry, frame, frameLength, release: (piece) => this.#release(piece) },
        { signal: this.#abort.signal },
      );
      if (!this.#isClosing) {
        if (outcome === "stored") throw endedEarly(backend.name);
        this.#early ??= outcome;
        this.#moved();
      }
      return outcome;
    } catch (error) {
      this.#failure = error;
      // The end of the frame tells of a failure by itself.
      if (!this.#isClosing) this.#fail(error);
      return "failed";
    }
  }

  #enqueue(bytes: Uint8Array): void {
    this.#frameBytes += bytes.length;
    if (this.#frameBytes > this.#parts.limits.maxEntryBytes) {
      this.#early = "declined";
      this.abort(
        new CacheError("too-large", "Cannot store stream: it is larger than this tier takes"),
      );
      return;
    }
    try {
      this.#controller.enqueue(bytes);
    } catch {
      // It was cancelled, and what for is about to be told.
    }
  }

  #release(piece: Uint8Array): void {
    const release = this.#releases.get(piece);
    this.#releases.delete(piece);
    release?.();
  }

  #fail(error: unknown): void {
    if (!this.isOpen) return;
    this.#early = "failed";
    const { guard } = this.#parts;
    guard.failed("write", this.#options.entry.key, error);
    this.abort(error);
  }

  #moved(): void {
    this.#move?.resolve();
    this.#move = undefined;
  }
}

function endedEarly(backend: string): CacheError {
  return new CacheError("backend", "Cannot store stream: tier says it did before the end came", {
    backend,
  });
}
