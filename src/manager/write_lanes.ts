/** The place of a write among those of its key. */
export interface WritePlace {
  /** Resolves when the writes before it have ended. */
  readonly turn: Promise<void>;
  /** To be called when it has ended. */
  readonly leave: () => void;
}

/**
 * Keeps the writes of one tier in the order in which they were asked for:
 * those of one key follow each other, those of different keys do not wait, and
 * one of all keys waits for and holds up every other. Without it a slow
 * promotion could end after the delete that came later.
 */
export class WriteLanes {
  /** The end of the last write of each key that has one under way. */
  readonly #lanes = new Map<string, Promise<void>>();
  #barrier: Promise<void> | undefined;

  /** Writes one key when the writes before it have ended, however they ended. */
  run<T>(key: string, write: () => Promise<T>): Promise<T> {
    const before = this.#lanes.get(key) ?? this.#barrier;
    const result = before === undefined ? write() : before.then(write);
    this.#hold(key, settled(result));
    return result;
  }

  /** Writes several keys at once when the writes before it have ended. */
  runMany<T>(keys: readonly string[], write: () => Promise<T>): Promise<T> {
    const before = new Set<Promise<void>>();
    for (const key of keys) {
      const lane = this.#lanes.get(key) ?? this.#barrier;
      if (lane !== undefined) before.add(lane);
    }
    const result = before.size === 0 ? write() : Promise.all(before).then(write);
    const end = settled(result);
    for (const key of keys) this.#hold(key, end);
    return result;
  }

  /**
   * Takes the place of a write of one key, to be done later.
   *
   * @returns when the writes before it have ended, and a function to call when this one has.
   */
  reserve(key: string): WritePlace {
    const { promise, resolve } = Promise.withResolvers<void>();
    const turn = this.#lanes.get(key) ?? this.#barrier ?? Promise.resolve();
    this.#hold(key, Promise.all([turn, promise]).then(ignore));
    return { turn, leave: resolve };
  }

  /**
   * Writes all keys at once when all writes before it have ended, or when
   * `patience` ends: a write that never ends must not hold up everything.
   *
   * @param write gets the keys whose earlier writes have not ended and may still take effect.
   */
  runAll<T>(
    write: (stragglers: ReadonlySet<string>) => Promise<T>,
    patience: Promise<unknown> = new Promise(ignore),
  ): Promise<T> {
    const held = [...this.#lanes];
    const stragglers = new Set(this.#lanes.keys());
    for (const [key, lane] of held) lane.then(() => stragglers.delete(key));
    const result = Promise.race([this.idle(), patience.then(ignore, ignore)]).then(() =>
      write(new Set(stragglers))
    );
    const end = settled(result);
    this.#barrier = end;
    // Later writes wait for this one, and those of a straggler's key for the straggler too.
    for (const [key, lane] of held) this.#hold(key, Promise.all([lane, end]).then(ignore));
    end.then(() => {
      if (this.#barrier === end) this.#barrier = undefined;
    });
    return result;
  }

  /** Resolves when the writes under way have ended, however they ended: all of them, or those of some keys. */
  async idle(keys?: readonly string[]): Promise<void> {
    const lanes = keys === undefined
      ? this.#lanes.values()
      : keys.map((key) => this.#lanes.get(key) ?? this.#barrier);
    await Promise.all([...new Set(lanes), keys === undefined ? this.#barrier : undefined]);
  }

  #hold(key: string, end: Promise<void>): void {
    this.#lanes.set(key, end);
    end.then(() => {
      if (this.#lanes.get(key) === end) this.#lanes.delete(key);
    });
  }
}

function settled(result: Promise<unknown>): Promise<void> {
  return result.then(ignore, ignore);
}

function ignore(): void {}
