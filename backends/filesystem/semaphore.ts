/** Lets so many run at once and the others wait their turn. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];
  #next = 0;

  constructor(permits: number) {
    this.#free = permits;
  }

  /** Runs something when its turn has come. */
  async run<T>(operate: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await operate();
    } finally {
      this.#release();
    }
  }

  #release(): void {
    const next = this.#waiting[this.#next];
    if (next === undefined) {
      this.#free++;
      return;
    }
    // An index instead of shift(): 10,000 that wait would be moved 10,000 times.
    this.#next++;
    if (this.#next > 1024 && this.#next * 2 > this.#waiting.length) {
      this.#waiting.splice(0, this.#next);
      this.#next = 0;
    }
    next();
  }
}
