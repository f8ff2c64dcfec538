import type { Clock } from "../../src/types.ts";
import type { MemoryStore } from "./memory_store.ts";

/** Places looked at in one run: some 30 µs. */
const MAX_CHECKS = 8192;

/** Entries removed in one run, at some 0.2 µs each. */
const MAX_REMOVALS = 2048;

/** The wait before the next run when much was found, in milliseconds. */
const SOON_MS = 10;

/** Of so many places looked at, one that was over is much. */
const MUCH = 4;

/**
 * Removes expired entries in the background, a bounded number at a time. It
 * has one timer, and that only while there is an entry that can expire.
 */
export class Sweeper {
  readonly #clock: Clock;
  readonly #store: MemoryStore;
  readonly #intervalMs: number;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, store: MemoryStore, intervalMs: number) {
    this.#clock = clock;
    this.#store = store;
    this.#intervalMs = intervalMs;
  }

  /** Sees to it that a run is due while there is something that can expire. */
  arm(): void {
    if (this.#cancel === undefined && this.#store.mortals > 0) this.#schedule(this.#intervalMs);
  }

  /** Ends it. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #schedule(delayMs: number): void {
    this.#cancel = this.#clock.schedule(() => this.#run(), delayMs);
  }

  #run(): void {
    this.#cancel = undefined;
    const { checked, removed } = this.#store.sweep(MAX_CHECKS, MAX_REMOVALS);
    if (this.#store.mortals === 0) return;
    const foundMuch = removed > 0 && removed * MUCH >= checked;
    this.#schedule(foundMuch ? Math.min(SOON_MS, this.#intervalMs) : this.#intervalMs);
  }
}
