import { CacheError } from "../errors.ts";
import { Deadlines } from "../manager/deadline.ts";
import { mapLimited } from "../manager/map_limited.ts";
import type { EventHub } from "../observability/events.ts";
import type { Clock } from "../types.ts";
import type { Lock, LockProvider } from "./lock_provider.ts";

/** The longest that the lock service may take to answer. */
const DEADLINE_MS = 1000;

/** How long it is left alone when it has failed: processes load for themselves meanwhile. */
const PAUSE_MS = 2000;

/** The first and the longest wait before another look at what another process is loading. */
const FIRST_LOOK_MS = 20;
const LAST_LOOK_MS = 250;

/** Renewals within one lease. */
const RENEWALS = 3;

/**
 * Locks that are asked for at once: few round trips for a service that takes
 * them together, and no more than a busy process hears of within their deadline.
 */
const ACQUIRED_AT_ONCE = 64;

/** What {@linkcode LoadLocks} is made of. */
export interface LoadLocksParts {
  /** Hands out the locks. */
  readonly provider: LockProvider;
  /** Milliseconds after which an owner that is frozen or gone is replaced. */
  readonly lease: number;
  /** The one source of time. */
  readonly clock: Clock;
  /** Spreads the looks of many. */
  readonly random: () => number;
  /** Takes what happens. */
  readonly events: EventHub;
}

/** A load of different keys, each of which only one process is to make. */
export interface LockedLoad {
  /** What is locked, each key by itself. */
  readonly keys: readonly string[];
  /** Finds what another process has loaded of some of the keys. */
  readonly look: (keys: readonly string[]) => Promise<ReadonlyMap<string, unknown>>;
  /** Makes some of the keys here. */
  readonly load: (keys: readonly string[]) => Promise<ReadonlyMap<string, unknown>>;
  /** Whether nothing is lost when another process makes it: then it is not waited for, and the load fails. */
  readonly isAhead: boolean;
  /** Ends the wait for another. */
  readonly signal: AbortSignal;
}

/** What one attempt to lock some keys has come to. */
interface Attempt {
  readonly locks: readonly Lock[];
  /** Keys whose locks another process has. */
  readonly taken: readonly string[];
  /** Keys of which the lock service cannot tell. */
  readonly unknown: readonly string[];
}

/**
 * One loader for each key among all processes that share a store. The others
 * wait until they find what it has made, told by the bus or by looking. An
 * owner that fails hands over; one that is frozen or gone is replaced when its
 * lease is over, and what it stores later is older than what replaced it. While
 * the lock service fails or hangs, each process loads for itself.
 */
export class LoadLocks {
  readonly #parts: LoadLocksParts;
  readonly #deadlines: Deadlines;
  /** What ends the waits for a key early. */
  readonly #waiting = new Map<string, Set<() => void>>();
  #leftAloneUntil = -Infinity;

  constructor(parts: LoadLocksParts) {
    this.#parts = parts;
    this.#deadlines = new Deadlines(parts.clock, DEADLINE_MS, parts.provider.name);
  }

  /**
   * Loads, or waits for what other processes load. Nothing is locked while it
   * waits, so that those who want some of the same keys never wait for each other.
   *
   * @returns a value, which may be `undefined`, for each key.
   */
  async run({ keys, look, load, isAhead, signal }: LockedLoad): Promise<Map<string, unknown>> {
    const values = new Map<string, unknown>();
    let wanted = keys;
    for (let turn = 0;; turn++) {
      const { locks, unknown, taken } = await this.#acquireAll(wanted, signal);
      if (isAhead && taken.length > 0) {
        this.#release(locks);
        // Who has joined since, and does wait, has to lead.
        throw new CacheError("unavailable", "Cannot load ahead of time: another process does");
      }
      if (locks.length > 0) add(values, await this.#own(locks, unknown, { look, load, signal }));
      else if (unknown.length > 0) add(values, await load(unknown));
      if (taken.length === 0) return values;
      // While some were loaded here the others have had their time.
      if (taken.length === wanted.length) await this.#pause(taken, turn, signal);
      add(values, await look(taken));
      wanted = taken.filter((key) => !values.has(key));
      if (wanted.length === 0) return values;
    }
  }

  /** Another process has changed a key: who waits for it looks at once. */
  changed(key: string): void {
    this.#waiting.get(key)?.forEach((end) => end());
  }

  /** Asks for the locks of different keys. */
  async #acquireAll(keys: readonly string[], signal: AbortSignal): Promise<Attempt> {
    const answers = new Map<string, Lock | undefined | "unknown">();
    let isOver = false;
    try {
      signal.throwIfAborted();
      await mapLimited(keys, ACQUIRED_AT_ONCE, async (key) => {
        const answer = await this.#acquire(key, signal);
        if (!isOver) answers.set(key, answer);
        else if (isLock(answer)) this.#release([answer]);
      });
      signal.throwIfAborted();
    } catch (error) {
      isOver = true;
      this.#release([...answers.values()].filter(isLock));
      throw error;
    }
    return {
      locks: keys.map((key) => answers.get(key)).filter(isLock),
      taken: keys.filter((key) => answers.get(key) === undefined),
      unknown: keys.filter((key) => answers.get(key) === "unknown"),
    };
  }

  async #acquire(key: string, signal: AbortSignal): Promise<Lock | undefined | "unknown"> {
    const { provider, lease, clock } = this.#parts;
    if (clock.now() < this.#leftAloneUntil) return "unknown";
    try {
      return await this.#deadlines.run(
        "lock",
        (options) => provider.acquire(key, { leaseMs: lease, signal: options.signal }),
        signal,
      );
    } catch (error) {
      signal.throwIfAborted();
      this.#failed(key, error);
      return "unknown";
    }
  }

  /** Loads what is locked here and not there yet, and what cannot be locked. */
  async #own(
    locks: readonly Lock[],
    unknown: readonly string[],
    { look, load, signal }: Pick<LockedLoad, "look" | "load" | "signal">,
  ): Promise<Map<string, unknown>> {
    const stops = locks.map((lock) => this.#keep(lock));
    const stop = (): void => stops.forEach((each) => each());
    // A loader that does not end when it is told to must not keep the others from it.
    signal.addEventListener("abort", stop, { once: true });
    try {
      const locked = locks.map(({ name }) => name);
      // The last owner may have ended since this process looked.
      const values = new Map(await look(locked));
      const missing = [...locked.filter((key) => !values.has(key)), ...unknown];
      if (missing.length > 0) add(values, await load(missing));
      return values;
    } finally {
      signal.removeEventListener("abort", stop);
      stop();
      this.#release(locks);
    }
  }

  #release(locks: readonly Lock[]): void {
    for (const lock of locks) {
      this.#deadlines.run("unlock", (options) => lock.release(options))
        .catch((error) => this.#failed(lock.name, error));
    }
  }

  /** Renews a lock until it is told to stop. */
  #keep(lock: Lock): () => void {
    const { clock, lease, events, provider } = this.#parts;
    let hasEnded = false;
    let cancel = (): void => {};
    const renew = async (): Promise<void> => {
      try {
        const isHeld = await this.#deadlines.run(
          "renew lock",
          (options) => lock.renew(lease, options),
        );
        if (isHeld || hasEnded) return;
        hasEnded = true;
        events.emit("lockLost", { locks: provider.name, key: lock.name, fence: lock.fence });
      } catch (error) {
        this.#failed(lock.name, error);
      }
    };
    const schedule = (): void => {
      cancel = clock.schedule(() => {
        renew().then(() => {
          if (!hasEnded) schedule();
        });
      }, lease / RENEWALS);
    };
    schedule();
    return () => {
      hasEnded = true;
      cancel();
    };
  }

  #failed(key: string, error: unknown): void {
    const { clock, events, provider } = this.#parts;
    this.#leftAloneUntil = clock.now() + PAUSE_MS;
    events.emit("lockError", { locks: provider.name, key, error });
  }

  /** Resolves when it is time to look again for some keys. */
  async #pause(keys: readonly string[], turn: number, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#parts;
    const longest = Math.min(FIRST_LOOK_MS * 2 ** Math.min(turn, 10), LAST_LOOK_MS);
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const key of keys) {
      const ends = this.#waiting.get(key);
      if (ends === undefined) this.#waiting.set(key, new Set([resolve]));
      else ends.add(resolve);
    }
    // Others' work has to be waited for, also by a process that does nothing else.
    const cancel = clock.schedule(resolve, longest * (0.5 + random() / 2), true);
    const end = (): void => resolve();
    signal.addEventListener("abort", end, { once: true });
    await promise;
    signal.removeEventListener("abort", end);
    cancel();
    for (const key of keys) {
      const ends = this.#waiting.get(key)!;
      ends.delete(resolve);
      if (ends.size === 0) this.#waiting.delete(key);
    }
  }
}

function isLock(answer: Lock | undefined | "unknown"): answer is Lock {
  return typeof answer === "object";
}

function add(values: Map<string, unknown>, more: ReadonlyMap<string, unknown>): void {
  for (const [key, value] of more) values.set(key, value);
}
