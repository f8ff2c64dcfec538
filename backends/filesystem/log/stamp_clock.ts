import type { Clock } from "../../../src/types.ts";

/** Stamps that fit into one millisecond; more run ahead of the clock. */
const STAMPS_PER_MILLISECOND = 1024;

/**
 * Makes the stamps that order records: a hybrid logical clock (Kulkarni et
 * al., "Logical Physical Clocks", 2014) in one number.
 *
 * Unlike the clock of versions it believes every stamp in the directory,
 * however far ahead: they come from this machine, whose clock may have jumped,
 * and a record that was written later has to win.
 */
export class StampClock {
  readonly #clock: Clock;
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The next stamp, greater than all made and observed before. */
  next(): number {
    const earliest = Math.floor(this.#clock.now() * STAMPS_PER_MILLISECOND);
    this.#last = Math.max(this.#last + 1, earliest);
    return this.#last;
  }

  /** Makes later stamps greater than one that was met. */
  observe(stamp: number): void {
    if (stamp > this.#last) this.#last = stamp;
  }
}
