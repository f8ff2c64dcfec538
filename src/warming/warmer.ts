import { isCacheError } from "../errors.ts";
import type { Clock } from "../types.ts";
import type { WarmBatch } from "./warm_batch.ts";
import type { WantedKey } from "./warm_keys.ts";
import type {
  ResolvedWarmOptions,
  WarmEnd,
  WarmItem,
  WarmProgress,
  WarmReport,
} from "./warm_options.ts";
import type { Rooms } from "./rooms.ts";
import { WarmCursor, WarmTally } from "./warm_tally.ts";

/** Batches on end that the loader may fail for. */
const MAX_FAILURES = 3;

/** What a warmer works with. */
export interface WarmerParts<I extends WarmItem> {
  readonly options: ResolvedWarmOptions<I>;
  /** The keys, without those that are left out. */
  readonly keys: AsyncGenerator<WantedKey<I>>;
  /** How many there are, where that is known. */
  readonly total: number | undefined;
  /** Items of the source that are left out. */
  readonly skipped: number;
  /** Brings in the keys of one batch. */
  readonly batch: WarmBatch<I>;
  readonly rooms: Rooms;
  readonly clock: Clock;
  /** Aborted when the cache is closed. */
  readonly closing: AbortSignal;
}

/** Warms the keys of one source, batch by batch. */
export class Warmer<I extends WarmItem> {
  readonly #parts: WarmerParts<I>;
  readonly #signal: AbortSignal;
  readonly #tally = new WarmTally();
  readonly #cursor: WarmCursor;
  readonly #running = new Set<Promise<void>>();
  readonly #startedAt: number;
  /** Keys that have been taken from the source, and wait for room. */
  #waiting: WantedKey<I>[] = [];
  #taken = 0;
  #position: number;
  #failures = 0;
  #end: WarmEnd | undefined;
  /** How the source has ended. */
  #sourceEnd: "done" | "source-failed" | undefined;
  #fullTier: string | undefined;
  #error: unknown;
  /** What the caller's own function threw. */
  #crash: { readonly reason: unknown } | undefined;

  constructor(parts: WarmerParts<I>) {
    const { options, closing, clock, skipped } = parts;
    this.#parts = parts;
    this.#signal = options.signal === undefined
      ? closing
      : AbortSignal.any([options.signal, closing]);
    this.#cursor = new WarmCursor(skipped);
    this.#position = skipped;
    this.#startedAt = clock.now();
  }

  /** Works until the source has ended, or something else has. */
  async run(): Promise<WarmReport> {
    const { options, keys, rooms, clock } = this.#parts;
    while (this.#goesOn()) {
      const isAlone = this.#running.size === 0;
      await rooms.look();
      const batch = await this.#next();
      if (batch === undefined) break;
      if (batch.length === 0) {
        // There is no room now; what is under way may leave some.
        if (isAlone) this.#full(rooms.full()?.name);
        else if (this.#running.size > 0) await Promise.race(this.#running);
        continue;
      }
      this.#begin(batch);
      if (options.rateLimit !== Infinity) {
        await this.#sleepUntil(this.#startedAt + this.#taken / options.rateLimit * 1000);
      }
      while (this.#running.size >= options.concurrency) await Promise.race(this.#running);
    }
    await Promise.all(this.#running);
    // A source that hangs is not waited for.
    keys.return(undefined).catch(() => {});
    if (this.#crash !== undefined) throw this.#crash.reason;
    return {
      ...this.#tally.toCounts(),
      stopped: this.#end ?? this.#abortion() ?? this.#sourceEnd ?? "done",
      fullTier: this.#fullTier,
      error: this.#error,
      seconds: (clock.now() - this.#startedAt) / 1000,
      cursor: this.#cursor.at,
    };
  }

  #goesOn(): boolean {
    return this.#end === undefined && this.#crash === undefined && !this.#signal.aborted;
  }

  #abortion(): WarmEnd | undefined {
    if (!this.#signal.aborted) return undefined;
    return this.#parts.closing.aborted ? "closed" : "aborted";
  }

  /** The next keys that there is room for, those included that need none; `undefined` at the end. */
  async #next(): Promise<readonly WantedKey<I>[] | undefined> {
    const { options, rooms, batch } = this.#parts;
    while (this.#waiting.length < options.batchSize && this.#sourceEnd === undefined) {
      if (this.#taken + this.#waiting.length >= options.maxKeys) {
        if (this.#waiting.length === 0) this.#end = "budget";
        break;
      }
      const next = await this.#pull();
      if (next === undefined) break;
      this.#waiting.push(next);
    }
    if (this.#signal.aborted || this.#waiting.length === 0) return undefined;
    let room = rooms.of(batch.fastest);
    let length = 0;
    for (const { stored } of this.#waiting) {
      if (!batch.holds(stored) && --room < 0) break;
      length++;
    }
    return this.#waiting.splice(0, length);
  }

  async #pull(): Promise<WantedKey<I> | undefined> {
    const { promise: aborted, resolve } = Promise.withResolvers<{ readonly done: true }>();
    const leave = (): void => resolve({ done: true });
    this.#signal.addEventListener("abort", leave, { once: true });
    try {
      const next = await Promise.race([this.#parts.keys.next(), aborted]);
      if (!next.done) return next.value;
      this.#sourceEnd ??= "done";
      return undefined;
    } catch (error) {
      if (!this.#signal.aborted) {
        this.#error = error;
        this.#sourceEnd = "source-failed";
      }
      return undefined;
    } finally {
      this.#signal.removeEventListener("abort", leave);
    }
  }

  #full(tier: string | undefined): void {
    this.#end = "full";
    this.#fullTier = tier;
  }

  #begin(batch: readonly WantedKey<I>[]): void {
    this.#taken += batch.length;
    this.#position += batch.length;
    const done = this.#cursor.begin(this.#position);
    const { rooms, batch: { holds } } = this.#parts;
    const reserved = batch.filter(({ stored }) => !holds(stored)).length;
    const release = rooms.reserve(reserved);
    const running: Promise<void> = this.#run(batch, reserved, done).finally(() => {
      release();
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  async #run(
    batch: readonly WantedKey<I>[],
    reserved: number,
    done: () => void,
  ): Promise<void> {
    const { onProgress } = this.#parts.options;
    try {
      const { tally, full, failure } = await this.#parts.batch.warm(
        batch,
        reserved,
        this.#signal,
      );
      this.#tally.add(tally);
      if (full !== undefined) return this.#full(full);
      done();
      if (failure === undefined) this.#failures = 0;
      else {
        this.#error = failure.reason;
        if (++this.#failures >= MAX_FAILURES) this.#end ??= "loader-failed";
      }
      onProgress?.(this.#progress());
    } catch (reason) {
      if (this.#signal.aborted || isCacheError(reason, "closed")) return;
      this.#crash ??= { reason };
    }
  }

  #progress(): WarmProgress {
    const { total, clock } = this.#parts;
    const counts = this.#tally.toCounts();
    const seconds = (clock.now() - this.#startedAt) / 1000;
    const rate = seconds > 0 ? counts.done / seconds : 0;
    return {
      ...counts,
      total,
      rate,
      secondsLeft: total === undefined || rate === 0
        ? undefined
        : Math.max(0, total - counts.done) / rate,
      cursor: this.#cursor.at,
    };
  }

  async #sleepUntil(time: number): Promise<void> {
    const { clock } = this.#parts;
    const delay = time - clock.now();
    if (delay <= 0 || this.#signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.schedule(resolve, delay, true);
    this.#signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    cancel();
  }
}
