/** Guesses that have to be settled before they are judged. */
const TRIAL_LENGTH = 128;

/** A trial that fails makes the next one so much longer, up to the longest. */
const LENGTHENING = 2;
const LONGEST_TRIAL = 65_536;

/**
 * Fetching begins only when guesses come true more often than they have to for
 * going on, so that what lies on the border does not switch to and fro.
 */
const MARGIN = 0.1;

/**
 * Decides whether guessing pays. At first, and after it did not pay, guesses
 * are made but not acted upon: whether they would have come true costs no
 * request. A trial that they pass makes them count; so long as they do, they
 * are fetched, and judged by what is used of that.
 */
export class PrefetchTrial {
  readonly #minPrecision: number;
  #isLive = false;
  #settled = 0;
  #right = 0;
  #length = TRIAL_LENGTH;
  #precision = 0;

  /** @param minPrecision the share of guesses that have to come true for it to pay, from 0 to 1. */
  constructor(minPrecision: number) {
    this.#minPrecision = minPrecision;
  }

  /** Whether guesses are to be fetched. */
  get isLive(): boolean {
    return this.#isLive;
  }

  /** The share of guesses that have come true in the last trial; 0 before the first. */
  get precision(): number {
    return this.#precision;
  }

  /**
   * A guess that was made in the present state has come true, or has not.
   *
   * @returns whether that has changed the state.
   */
  settle(isRight: boolean): boolean {
    this.#settled++;
    if (isRight) this.#right++;
    if (this.#settled < (this.#isLive ? TRIAL_LENGTH : this.#length)) return false;
    const share = this.#right / this.#settled;
    this.#precision = share;
    this.#settled = 0;
    this.#right = 0;
    if (this.#isLive) {
      if (share >= this.#minPrecision) {
        this.#length = TRIAL_LENGTH;
        return false;
      }
      this.#length = Math.min(LONGEST_TRIAL, this.#length * LENGTHENING);
    } else if (share < Math.min(1, this.#minPrecision + MARGIN)) return false;
    this.#isLive = !this.#isLive;
    return true;
  }
}
