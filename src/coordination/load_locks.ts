import { CacheError } from "../errors.ts";
import { Deadlines } from "../manager/deadline.ts";
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

/** A load that only one process is to make. */
export interface LockedLoad {
  /** What is locked. */
  readonly key: string;
  /** Finds what another process has loaded. */
  readonly look: () => Promise<unknown>;
  /** Makes it here. */
  readonly load: () => Promise<unknown>;
  /** Whether nothing is lost when another process makes it: then it is not waited for, and the load fails. */
  readonly isAhead: boolean;
  /** Ends the wait for another. */
  readonly signal: AbortSignal;
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

  /** Loads, or waits for what another process loads. */
  async run({ key, look, load, isAhead, signal }: LockedLoad): Promise<unknown> {
    for (let turn = 0;; turn++) {
      signal.throwIfAborted();
      const lock = await this.#acquire(key, signal);
      if (lock === "unknown") return await load();
      if (lock !== undefined) return await this.#own(lock, look, load, signal);
      if (isAhead) {
        // Who has joined since, and does wait, has to lead.
        throw new CacheError("unavailable", "Cannot load ahead of time: another process does");
      }
      await this.#pause(key, turn, signal);
      const found = await look();
      if (found !== undefined) return found;
    }
  }

  /** Another process has changed a key: who waits for it looks at once. */
  changed(key: string): void {
    this.#waiting.get(key)?.forEach((end) => end());
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

  async #own(
    lock: Lock,
    look: () => Promise<unknown>,
    load: () => Promise<unknown>,
    signal: AbortSignal,
  ): Promise<unknown> {
    const stop = this.#keep(lock);
    // A loader that does not end when it is told to must not keep the others from it.
    signal.addEventListener("abort", stop, { once: true });
    try {
      // The last owner may have ended since this process looked.
      const found = await look();
      return found === undefined ? await load() : found;
    } finally {
      signal.removeEventListener("abort", stop);
      stop();
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

  /** Resolves when it is time to look again. */
  async #pause(key: string, turn: number, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#parts;
    const longest = Math.min(FIRST_LOOK_MS * 2 ** Math.min(turn, 10), LAST_LOOK_MS);
    const { promise, resolve } = Promise.withResolvers<void>();
    const ends = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, ends);
    ends.add(resolve);
    // Others' work has to be waited for, also by a process that does nothing else.
    const cancel = clock.schedule(resolve, longest * (0.5 + random() / 2), true);
    const end = (): void => resolve();
    signal.addEventListener("abort", end, { once: true });
    await promise;
    signal.removeEventListener("abort", end);
    cancel();
    ends.delete(resolve);
    if (ends.size === 0) this.#waiting.delete(key);
  }
}
