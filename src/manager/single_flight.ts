import { isCacheError } from "../errors.ts";

/** What a caller does when it comes to be its turn. */
export interface Lead<T> {
  /** Makes a value; the signal is aborted when nobody waits for it any more. */
  load(signal: AbortSignal): Promise<T>;
  /** Whether what is being loaded is too old for a caller that comes now. */
  isOutdated?(): boolean;
}

/** A caller that waits for a key. */
interface Waiter<T> {
  readonly lead: Lead<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
  /** What it waits in. */
  flight: Flight<T>;
  /** Whether it came when the load under way was outdated, and waits for the next one. */
  isForNext: boolean;
  /** Whether it came when the load under way was late. */
  cameLate: boolean;
}

/** The callers of one key. One of them leads. */
interface Flight<T> {
  readonly waiters: Set<Waiter<T>>;
  leader: Lead<T>;
  controller: AbortController;
  /** Those among the waiters who want the value of the load under way. */
  wanted: number;
  /** Whether somebody has waited for the load under way as long as they would. */
  isLate: boolean;
}

/**
 * One load at a time for each key, in every interleaving. All callers of a key
 * wait for the load of the first; when it fails, that caller gets the error
 * and the next one leads, with its own load. A load whose callers have all
 * given up is aborted, and a caller that comes before it has ended waits for
 * that end before the next one starts. So does a caller that comes when the
 * load under way is outdated, and it does not get its value.
 *
 * A load that is late, and that one who came then has waited for in vain too,
 * is taken for lost: those who still wait go on without it.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /** Whether a load of a key is under way whose value is too old for a caller that comes now. */
  isOutdated(key: string): boolean {
    return this.#flights.get(key)?.leader.isOutdated?.() ?? false;
  }

  /** Whether a load of a key is under way that is not late. */
  isUnderWay(key: string): boolean {
    return this.#flights.get(key)?.isLate === false;
  }

  /**
   * Waits for the load of a key, or begins it.
   *
   * @param signal ends this caller's wait, and no one else's.
   */
  run(key: string, lead: Lead<T>, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise<T>((resolve, reject) => {
      const underWay = this.#flights.get(key);
      const flight = underWay ?? begun(lead);
      const waiter: Waiter<T> = {
        lead,
        resolve: (value) => {
          signal?.removeEventListener("abort", giveUp);
          resolve(value);
        },
        reject: (reason) => {
          signal?.removeEventListener("abort", giveUp);
          reject(reason);
        },
        flight,
        isForNext: underWay !== undefined && this.isOutdated(key),
        cameLate: flight.isLate,
      };
      const giveUp = (): void => {
        const { flight } = waiter;
        flight.waiters.delete(waiter);
        waiter.reject(signal?.reason);
        if (!waiter.isForNext && --flight.wanted === 0) flight.controller.abort(signal?.reason);
        if (!isTimeout(signal?.reason)) return;
        if (waiter.cameLate) this.#lose(key, flight, signal?.reason);
        else flight.isLate = true;
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      flight.waiters.add(waiter);
      if (!waiter.isForNext) flight.wanted++;
      if (underWay === undefined) {
        this.#flights.set(key, flight);
        this.#fly(key, flight, waiter);
      }
    });
  }

  async #fly(key: string, flight: Flight<T>, first: Waiter<T>): Promise<void> {
    for (let leader: Waiter<T> | undefined = first; leader !== undefined;) {
      try {
        const value = await leader.lead.load(flight.controller.signal);
        for (const waiter of flight.waiters) {
          if (waiter.isForNext) continue;
          flight.waiters.delete(waiter);
          waiter.resolve(value);
        }
      } catch (error) {
        // A leader that has left is no longer among those who wait.
        if (flight.waiters.delete(leader)) leader.reject(error);
      }
      leader = next(flight);
    }
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }

  /** Goes on without a load that may never end. */
  #lose(key: string, lost: Flight<T>, reason: unknown): void {
    lost.controller.abort(reason);
    const [first] = lost.waiters;
    this.#flights.delete(key);
    if (first === undefined) return;
    const flight = begun(first.lead);
    for (const waiter of lost.waiters) {
      waiter.flight = flight;
      flight.waiters.add(waiter);
    }
    lost.waiters.clear();
    next(flight);
    this.#flights.set(key, flight);
    this.#fly(key, flight, first);
  }
}

/** Also what `AbortSignal.timeout` gives as reason. */
function isTimeout(reason: unknown): boolean {
  return isCacheError(reason, "timeout") ||
    (reason instanceof Error && reason.name === "TimeoutError");
}

function begun<T>(leader: Lead<T>): Flight<T> {
  const controller = new AbortController();
  return { waiters: new Set(), leader, controller, wanted: 0, isLate: false };
}

/** Makes all that still wait want the next load. @returns the one that leads it, if any. */
function next<T>(flight: Flight<T>): Waiter<T> | undefined {
  let leader: Waiter<T> | undefined;
  for (const waiter of flight.waiters) {
    waiter.isForNext = false;
    waiter.cameLate = false;
    leader ??= waiter;
  }
  if (leader !== undefined) flight.leader = leader.lead;
  flight.controller = new AbortController();
  flight.wanted = flight.waiters.size;
  flight.isLate = false;
  return leader;
}
