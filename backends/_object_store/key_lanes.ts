/**
 * Brings the writes of one process to each key into the order in which they
 * were asked for: requests travel on connections of their own, and the store
 * takes them as they come.
 */
export class KeyLanes {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Runs what is to come after all that was asked for these keys before. */
  run<T>(keys: Iterable<string>, operate: () => Promise<T>): Promise<T> {
    const all = [...new Set(keys)];
    const before = all.map((key) => this.#tails.get(key)).filter((tail) => tail !== undefined);
    const running = before.length === 0 ? operate() : Promise.all(before).then(operate);
    const tail = running.then(() => {}, () => {});
    for (const key of all) this.#tails.set(key, tail);
    tail.then(() => {
      for (const key of all) if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    return running;
  }
}
