/** One call of a batch loader, in the making or under way. */
interface Batch<T> {
  readonly keys: string[];
  readonly controller: AbortController;
  /** Keys that somebody still waits for. */
  wanted: number;
  readonly result: Promise<ReadonlyMap<string, T>>;
}

/**
 * Gathers the keys that one caller has to load into one call: all that are
 * asked for in the same turn of the event loop go together.
 */
export class BatchLoad<T> {
  readonly #loadAll: (keys: string[], signal: AbortSignal) => Promise<ReadonlyMap<string, T>>;
  #gathering: Batch<T> | undefined;

  /** @param loadAll gives a value, which may be `undefined`, for each key. */
  constructor(
    loadAll: (keys: string[], signal: AbortSignal) => Promise<ReadonlyMap<string, T>>,
  ) {
    this.#loadAll = loadAll;
  }

  /**
   * Loads one key as part of a batch.
   *
   * @param signal aborted when nobody waits for this key; the batch is aborted when nobody waits for any.
   */
  async load(key: string, signal: AbortSignal): Promise<T> {
    const batch = this.#gathering ?? this.#begin();
    batch.keys.push(key);
    batch.wanted++;
    const leave = (): void => {
      if (--batch.wanted === 0) batch.controller.abort(signal.reason);
    };
    signal.addEventListener("abort", leave, { once: true });
    try {
      return (await batch.result).get(key) as T;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  #begin(): Batch<T> {
    const keys: string[] = [];
    const controller = new AbortController();
    const result = Promise.resolve().then(() => {
      this.#gathering = undefined;
      controller.signal.throwIfAborted();
      return this.#loadAll(keys, controller.signal);
    });
    return this.#gathering = { keys, controller, wanted: 0, result };
  }
}
