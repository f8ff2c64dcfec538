/**
 * The order of changes: those of one name run one after another as they came,
 * those of different names at once, and an exclusive one runs alone.
 */
export class Lanes {
  readonly #tails = new Map<string, Promise<void>>();
  #barrier: Promise<void> | undefined;

  /** Whether a change of this name runs or waits. */
  isBusy(name: string): boolean {
    return this.#tails.has(name);
  }

  /** Runs a change after all earlier ones of its name; at once when there are none. */
  run<T>(name: string, change: () => Promise<T>): Promise<T> {
    const tail = this.#tails.get(name);
    const before = tail === undefined
      ? this.#barrier
      : this.#barrier === undefined
      ? tail
      : Promise.all([tail, this.#barrier]);
    return this.#track(name, before === undefined ? change() : before.then(change));
  }

  /** Runs a change that is part of another one at once. Its lane must not be busy. */
  runWithin<T>(name: string, change: () => Promise<T>): Promise<T> {
    return this.#track(name, change());
  }

  /** Runs a change after all that came before it and before all that come after it. */
  exclusive<T>(change: () => Promise<T>): Promise<T> {
    const result = this.settled().then(change);
    const barrier = result.then(ignore, ignore);
    this.#barrier = barrier;
    barrier.then(() => {
      if (this.#barrier === barrier) this.#barrier = undefined;
    });
    return result;
  }

  /** Resolves when all that came so far have ended, whichever way. */
  async settled(): Promise<void> {
    await Promise.all([...this.#tails.values(), this.#barrier]);
  }

  /** Resolves when one of those that run has ended. */
  async oneSettled(): Promise<void> {
    await Promise.race(this.#tails.values());
  }

  #track<T>(name: string, result: Promise<T>): Promise<T> {
    const tail = result.then(ignore, ignore);
    this.#tails.set(name, tail);
    tail.then(() => {
      if (this.#tails.get(name) === tail) this.#tails.delete(name);
    });
    return result;
  }
}

function ignore(): void {}
