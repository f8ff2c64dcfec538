import type { Clock } from "../types.ts";

const MINUTE_MS = 60_000;

/** So many of something a minute, saved up for at most one. */
export class LoadBudget {
  readonly #perMinute: number;
  readonly #clock: Clock;
  #left: number;
  #countedAt: number;

  constructor(perMinute: number, clock: Clock) {
    this.#perMinute = perMinute;
    this.#clock = clock;
    this.#left = perMinute;
    this.#countedAt = clock.now();
  }

  /** Takes as many as are wanted, or as there are. */
  take(wanted: number): number {
    const now = this.#clock.now();
    const earned = Math.max(0, now - this.#countedAt) / MINUTE_MS * this.#perMinute;
    this.#left = Math.min(this.#perMinute, this.#left + earned);
    this.#countedAt = now;
    const taken = Math.min(wanted, Math.floor(this.#left));
    this.#left -= taken;
    return taken;
  }
}
