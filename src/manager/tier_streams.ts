import type { WriteFormat } from "../entry/content.ts";
import { PieceReader } from "../entry/piece_reader.ts";
import type { TierCounters } from "../observability/stats.ts";
import type { ByteRange, CacheBackend, Clock } from "../types.ts";
import type { BackendWriter } from "./backend_writer.ts";
import { BufferSink } from "./buffer_sink.ts";
import { Deadlines } from "./deadline.ts";
import type { StreamSink } from "./stream_sink.ts";
import type { Tier } from "./tier.ts";
import type { TierGuard } from "./tier_guard.ts";
import { cappedTimes, type TierLimits } from "./tier_limits.ts";
import { type SinkOptions, TierSink } from "./tier_sink.ts";

/** What the streams of one tier work with. */
export interface TierStreamsParts {
  /** The tier itself. */
  readonly tier: Tier;
  /** Its store. */
  readonly backend: CacheBackend;
  /** Writes to the store. */
  readonly writer: BackendWriter;
  /** Runs single operations. */
  readonly guard: TierGuard;
  /** What the tier admits. */
  readonly limits: TierLimits;
  /** The one source of time. */
  readonly clock: Clock;
  /** Count what is done. */
  readonly counters: TierCounters;
  /** Give each step of a stream its time. */
  readonly deadlines: Deadlines;
}

/** A frame that is being read. */
export interface OpenedFrame {
  /** Bytes of the whole frame. */
  readonly frameLength: number;
  /** Its bytes. */
  readonly bytes: PieceReader;
  /** Ends it. */
  cancel(reason: unknown): void;
}

/** Moves streams in and out of one tier. Each step has the tier's deadline, the whole has none. */
export class TierStreams {
  readonly #parts: TierStreamsParts;

  constructor(parts: Omit<TierStreamsParts, "deadlines">) {
    const { clock, limits, backend } = parts;
    this.#parts = { ...parts, deadlines: new Deadlines(clock, limits.deadline, backend.name) };
  }

  /** Whether frames are read as streams; values are read whole otherwise. */
  get areRead(): boolean {
    return this.#parts.backend.getStream !== undefined && !this.#parts.tier.isInProcess;
  }

  /** Begins to write a stream. */
  sink(options: SinkOptions & { readonly format: WriteFormat }): StreamSink {
    const { backend, limits, clock, tier } = this.#parts;
    if (backend.setStream === undefined || tier.isInProcess) {
      return new BufferSink(this.#parts, options);
    }
    const entry = { ...options.entry, ...cappedTimes(limits, options.entry, clock.now()) };
    return new TierSink(this.#parts, { ...options, entry });
  }

  /** Begins a copy from a slower tier, `undefined` where a failed write has to be mended first. */
  copy(
    options: SinkOptions & { readonly format: WriteFormat },
  ): StreamSink | undefined {
    const { guard } = this.#parts;
    return guard.isDown || guard.distrust.has(options.entry.key) ? undefined : this.sink(options);
  }

  /** Opens a frame, or a range of it. Rejects only when the caller gives up. */
  async open(
    key: string,
    range: ByteRange | undefined,
    signal?: AbortSignal,
  ): Promise<OpenedFrame | undefined> {
    const { backend, guard, deadlines } = this.#parts;
    if (guard.distrust.has(key)) return undefined;
    const abort = new AbortController();
    const stored = await guard.read(
      "read",
      key,
      (options) => {
        const { signal: given } = options;
        given?.addEventListener("abort", () => abort.abort(given.reason));
        return backend.getStream!(key, { range, signal: abort.signal });
      },
      signal,
      undefined,
    );
    if (!stored) return undefined;
    const reader = stored.frame.getReader();
    const cancel = (reason: unknown): void => {
      abort.abort(reason);
      reader.cancel(reason).catch(() => {});
    };
    if (guard.distrust.has(key)) {
      cancel(new Error("a write has failed meanwhile"));
      return undefined;
    }
    const bytes = new PieceReader(() => deadlines.run("read", () => reader.read(), signal));
    return { frameLength: stored.frameLength, bytes, cancel };
  }

  /** Counts a hit or a miss. */
  count(isHit: boolean): void {
    this.#parts.counters[isHit ? "hits" : "misses"]++;
  }

  /** Counts a failure of a stream under way and tells of it. */
  failed(key: string, error: unknown): void {
    this.#parts.guard.failed("read", key, error);
  }
}
