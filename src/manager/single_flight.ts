/** Makes a value; the signal is aborted when nobody waits for it any more. */
type Load<T> = (signal: AbortSignal) => Promise<T>;

/** A caller that waits for a key, with the loader that runs if it comes to be its turn. */
interface Waiter<T> {
  readonly load: Load<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

/** The callers of one key. The first that is left leads. */
interface Flight<T> {
  readonly waiters: Set<Waiter<T>>;
  controller: AbortController;
}

/**
 * One load at a time for each key, in every interleaving. All callers of a key
 * wait for the load of the first; when it fails, that caller gets the error
 * and the next one leads, with its own load. A load whose callers have all
 * given up is aborted, and a caller that comes before it has ended waits for
 * that end before the next one starts.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /** Whether a load of a key is under way. */
  has(key: string): boolean {
    return this.#flights.has(key);
  }

  /**
   * Waits for the load of a key, or begins it.
   *
   * @param signal ends this caller's wait, and no one else's.
   */
  run(key: string, load: Load<T>, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise<T>((resolve, reject) => {
      const flight: Flight<T> = this.#flights.get(key) ??
        { waiters: new Set(), controller: new AbortController() };
      const waiter: Waiter<T> = {
        load,
        resolve: (value) => {
          signal?.removeEventListener("abort", giveUp);
          resolve(value);
        },
        reject: (reason) => {
          signal?.removeEventListener("abort", giveUp);
          reject(reason);
        },
      };
      const giveUp = (): void => {
        flight.waiters.delete(waiter);
        waiter.reject(signal?.reason);
        if (flight.waiters.size === 0) flight.controller.abort(signal?.reason);
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      flight.waiters.add(waiter);
      if (!this.#flights.has(key)) {
        this.#flights.set(key, flight);
        this.#lead(key, flight, waiter);
      }
    });
  }

  async #lead(key: string, flight: Flight<T>, leader: Waiter<T>): Promise<void> {
    for (let next: Waiter<T> | undefined = leader; next !== undefined;) {
      flight.controller = new AbortController();
      try {
        const value = await next.load(flight.controller.signal);
        this.#flights.delete(key);
        for (const waiter of flight.waiters) waiter.resolve(value);
        return;
      } catch (error) {
        // A leader that has left is no longer among those who wait.
        if (flight.waiters.delete(next)) next.reject(error);
        next = first(flight.waiters);
      }
    }
    this.#flights.delete(key);
  }
}

function first<T>(set: ReadonlySet<T>): T | undefined {
  for (const member of set) return member;
  return undefined;
}
