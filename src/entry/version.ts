import type { Clock } from "../types.ts";

/** Stamps that fit into one millisecond; more run ahead of the clock. 2^53 / 1024 lasts until the year 2248. */
const STAMPS_PER_MILLISECOND = 1024;

/** How far clocks of different machines are believed to be apart. */
const MAX_SKEW_MS = 3_600_000;

/** How far ahead deletes and clears are stamped, in milliseconds: so far clocks may be apart for them to beat what began before elsewhere. */
export const SKEW_MS = 500;

/** The first stamp of a millisecond since the epoch. */
export function stampAt(milliseconds: number): number {
  return milliseconds * STAMPS_PER_MILLISECOND;
}

/** The latest stamp that an honest clock may have made by `now`, in epoch milliseconds. */
export function latestHonest(now: number): number {
  return (now + MAX_SKEW_MS) * STAMPS_PER_MILLISECOND;
}

/**
 * Makes version stamps: a hybrid logical clock (Kulkarni et al., "Logical
 * Physical Clocks", 2014) in one number, the epoch millisecond times 1024 plus
 * a counter. Each stamp is greater than all before it, also when the clock of
 * the machine goes backwards.
 */
export class VersionClock {
  readonly #clock: Clock;
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The next stamp.
   *
   * @param ahead how far ahead of this machine's clock it is, in milliseconds:
   * then it is later than what clocks that are ahead of this one stamped before. @default 0
   */
  next(ahead = 0): number {
    const earliest = (this.#clock.now() + ahead) * STAMPS_PER_MILLISECOND;
    this.#last = Math.max(this.#last + 1, Math.floor(earliest));
    return this.#last;
  }

  /** Makes later stamps greater than one that was seen elsewhere, unless that is too far ahead to be an honest clock's. */
  observe(version: number): void {
    if (version > this.#last && version <= latestHonest(this.#clock.now())) this.#last = version;
  }
}
