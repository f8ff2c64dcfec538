/** Parts of a window; the oldest leaves as a whole. */
const PARTS = 10;

/** Counts calls and failures of the last while. */
export class CallWindow {
  readonly #partMs: number;
  readonly #calls: number[] = new Array<number>(PARTS).fill(0);
  readonly #failures: number[] = new Array<number>(PARTS).fill(0);
  /** The number of the newest part since the epoch. */
  #newest = -Infinity;

  /** @param lengthMs how far back calls count. */
  constructor(lengthMs: number) {
    this.#partMs = lengthMs / PARTS;
  }

  /**
   * Counts calls that have ended.
   *
   * @param now in epoch milliseconds.
   */
  count(now: number, calls: number, failures: number): void {
    const at = this.#moveTo(now);
    this.#calls[at]! += calls;
    this.#failures[at]! += failures;
  }

  /** Calls within the window that ended at `now`, and how many of them failed. */
  totals(now: number): { readonly calls: number; readonly failures: number } {
    this.#moveTo(now);
    return { calls: sum(this.#calls), failures: sum(this.#failures) };
  }

  /** Forgets all. */
  clear(): void {
    this.#calls.fill(0);
    this.#failures.fill(0);
  }

  /** Empties the parts that are over. @returns the place of the newest part. */
  #moveTo(now: number): number {
    const part = Math.floor(now / this.#partMs);
    // A clock that was put back starts the count anew.
    if (part < this.#newest || part - this.#newest >= PARTS) this.clear();
    else {
      for (let over = this.#newest + 1; over <= part; over++) {
        this.#calls[over % PARTS] = 0;
        this.#failures[over % PARTS] = 0;
      }
    }
    this.#newest = part;
    return part % PARTS;
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
