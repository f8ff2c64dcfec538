/** How reads are made: `auto` makes them synchronously as long as they are quick. */
export type IoMode = "auto" | "sync" | "async";

/** One read in so many is timed; timing costs some 100 ns. */
const SAMPLE_EVERY = 8;
/** After a slow read so many are timed in a row. */
const SUSPICIOUS_READS = 32;
/** Above this mean, in milliseconds, reads hold up the event loop more than asynchronous ones cost. */
const SLOW_MEAN_MS = 0.25;
const WEIGHT = 1 / 8;
/** What a longer read counts as in the mean: one alone may be a busy machine, three in a row are a slow disk. */
const OUTLIER_MS = 1;
const FIRST_PAUSE_MS = 1_000;
const LAST_PAUSE_MS = 30_000;

/** Decides between synchronous and asynchronous reads by how long synchronous ones have taken. */
export class IoMeter {
  readonly #mode: IoMode;
  readonly #stopwatch: () => number;
  #untilSample = 1;
  #mean = 0;
  #suspicion = 0;
  #pause = FIRST_PAUSE_MS;
  #asyncUntil = -Infinity;
  #isAsync: boolean;

  constructor(mode: IoMode, stopwatch: () => number) {
    this.#mode = mode;
    this.#stopwatch = stopwatch;
    this.#isAsync = mode === "async";
  }

  /** Whether the next read should be asynchronous. */
  get isAsync(): boolean {
    if (this.#isAsync && this.#mode === "auto" && this.#stopwatch() >= this.#asyncUntil) {
      this.#isAsync = false;
      this.#mean = 0;
      this.#untilSample = 1;
    }
    return this.#isAsync;
  }

  /** To be called before a synchronous read. @returns what {@linkcode IoMeter.end} wants. */
  begin(): number {
    if (this.#mode !== "auto" || --this.#untilSample > 0) return -1;
    return this.#stopwatch();
  }

  /** To be called after a synchronous read. */
  end(began: number): void {
    if (began < 0 || this.#isAsync) return;
    const now = this.#stopwatch();
    const took = now - began;
    this.#mean += (Math.min(took, OUTLIER_MS) - this.#mean) * WEIGHT;
    this.#untilSample = took > SLOW_MEAN_MS ? 1 : SAMPLE_EVERY;
    if (took > SLOW_MEAN_MS) this.#suspicion = SUSPICIOUS_READS;
    else if (this.#suspicion > 0) {
      this.#suspicion--;
      this.#untilSample = 1;
    }
    if (this.#mean > SLOW_MEAN_MS) {
      this.#isAsync = true;
      this.#asyncUntil = now + this.#pause;
      this.#pause = Math.min(this.#pause * 2, LAST_PAUSE_MS);
    } else if (this.#mean < SLOW_MEAN_MS / 4) {
      this.#pause = FIRST_PAUSE_MS;
    }
  }
}
