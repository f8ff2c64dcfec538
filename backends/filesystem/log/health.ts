import { errorCode } from "./file_layer.ts";

/**
 * How the disk is taken to be.
 *
 * - `healthy`: everything is done.
 * - `degraded`: reads go on, writes are declined, a probe file tells when writes may go on.
 * - `off`: reads are misses as well, until a probe succeeds.
 */
export type HealthState = "healthy" | "degraded" | "off";

/** Errors within {@linkcode WINDOW_MS} that make a disk that still takes writes suspect. */
const ERRORS_TO_DEGRADE = 3;
/** More errors while degraded, without a success in between, that turn it off. */
const ERRORS_TO_TURN_OFF = 30;
const WINDOW_MS = 60_000;
const FIRST_PROBE_MS = 500;
const LAST_PROBE_MS = 30_000;

/** After these nothing can be written until something outside of this process changes. */
const FATAL_TO_WRITES: readonly string[] = ["EROFS", "EIO", "EACCES", "EPERM", "ENOSPC", "EDQUOT"];

/** What {@linkcode Health} needs. */
export interface HealthOptions {
  /** Milliseconds that only ever grow. */
  readonly stopwatch: () => number;
  /** Writes, reads and removes a small file; throws when that fails. */
  readonly probe: () => void;
  /** Is told every change. */
  readonly onChange: (state: HealthState, cause: unknown) => void;
}

/** The state machine of a disk: healthy, degraded, off, and back. */
export class Health {
  state: HealthState = "healthy";
  /** Errors met since open. */
  errors = 0;
  readonly #options: HealthOptions;
  #recent: number[] = [];
  #errorsSinceDegraded = 0;
  #probeAt = 0;
  #probeWait = FIRST_PROBE_MS;
  #isRetired = false;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** Whether a read may be tried. */
  canRead(): boolean {
    return this.state !== "off" || this.#probe();
  }

  /** Whether a write may be tried. */
  canWrite(): boolean {
    return this.state === "healthy" || this.#probe();
  }

  /** Turns it off for good, without telling: what it was about is gone. */
  retire(): void {
    this.state = "off";
    this.#isRetired = true;
  }

  /** Lets the next question be answered by a probe, without waiting for the time to come. */
  askAgain(): void {
    this.#probeAt = -Infinity;
  }

  /** A read failed. */
  readFailed(error: unknown): void {
    this.#count(error, false);
  }

  /** A write failed, also on a second try where there was one. */
  writeFailed(error: unknown): void {
    this.#count(error, FATAL_TO_WRITES.includes(errorCode(error)));
  }

  #count(error: unknown, isFatalToWrites: boolean): void {
    this.errors++;
    const now = this.#options.stopwatch();
    if (this.state === "healthy") {
      this.#recent = this.#recent.filter((time) => now - time < WINDOW_MS);
      this.#recent.push(now);
      if (isFatalToWrites || this.#recent.length >= ERRORS_TO_DEGRADE) {
        this.#errorsSinceDegraded = 0;
        this.#change("degraded", error);
      }
    } else if (this.state === "degraded" && ++this.#errorsSinceDegraded >= ERRORS_TO_TURN_OFF) {
      this.#change("off", error);
    }
  }

  /** Whether all is well again. */
  #probe(): boolean {
    const now = this.#options.stopwatch();
    if (this.#isRetired || now < this.#probeAt) return false;
    try {
      this.#options.probe();
    } catch (error) {
      this.#probeWait = Math.min(this.#probeWait * 2, LAST_PROBE_MS);
      this.#probeAt = now + this.#probeWait;
      if (this.state === "degraded" && ++this.#errorsSinceDegraded >= ERRORS_TO_TURN_OFF) {
        this.#change("off", error);
      }
      return false;
    }
    this.#recent = [];
    this.#change("healthy", undefined);
    return true;
  }

  #change(state: HealthState, cause: unknown): void {
    this.state = state;
    if (state !== "off") this.#probeWait = FIRST_PROBE_MS;
    this.#probeAt = this.#options.stopwatch() + this.#probeWait;
    this.#options.onChange(state, cause);
  }
}
