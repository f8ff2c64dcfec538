import { isCacheError } from "../errors.ts";
import type { EventHub } from "../observability/events.ts";
import type { TierCounters } from "../observability/stats.ts";
import type { Clock, OperationOptions } from "../types.ts";
import { CircuitBreaker } from "./breaker.ts";
import type { BreakerOptions } from "./breaker_options.ts";
import { Deadlines, type GuardedOptions } from "./deadline.ts";
import { Distrust } from "./distrust.ts";
import { mapLimited } from "./map_limited.ts";
import { WriteLanes } from "./write_lanes.ts";

/** Single writes under way at once where a backend has no batch call. */
const BATCH_CONCURRENCY = 64;

/** Deadlines after which a write that does not end, although it was told to, is no longer waited for. */
const PATIENCE = 2;

/** Deadlines within which what takes as long as there are entries has to end: a minute where the deadline is 5 s. */
export const LONG_DEADLINES = 12;

/** A write that was left out because a later one of its key had begun. */
export type Superseded = "superseded";

/** What a guard needs to know of its tier. */
export interface TierGuardParts {
  /** The tier's name. */
  readonly name: string;
  /** Whether each write is done when its promise is there: then there is nothing to wait for, and nothing to overtake it. */
  readonly isInProcess: boolean;
  /** The time that one operation may take, in milliseconds. */
  readonly deadline: number;
  /** The one source of time. */
  readonly clock: Clock;
  /** Told of every failure. */
  readonly events: EventHub;
  /** Count every failure. */
  readonly counters: TierCounters;
  /** When the tier counts as down; `undefined` for never. */
  readonly breaker: BreakerOptions | undefined;
  /** Spreads probes. */
  readonly random: () => number;
  /** Reads something small. */
  readonly probe: (options: OperationOptions) => Promise<unknown>;
  /** Whether the store keeps the newest version, whatever comes late. */
  readonly isVersioned: boolean;
}

/**
 * Runs the operations of one tier's backend: in time, writes of a key one
 * after another, failures counted and told, and their keys distrusted.
 */
export class TierGuard {
  /** The keys of which the tier may hold an older value than it should. */
  readonly distrust: Distrust = new Distrust();
  readonly #parts: TierGuardParts;
  readonly #deadlines: Deadlines;
  /** How long a write that was given up still holds up the next ones of its key. */
  readonly #patience: Deadlines;
  /** For what takes as long as there are entries. */
  readonly #long: Deadlines;
  readonly #lanes = new WriteLanes();
  readonly #breaker: CircuitBreaker | undefined;
  /** Called when the tier is up again. */
  onUp: () => void = () => {};

  constructor(parts: TierGuardParts) {
    const { name, deadline, clock } = parts;
    this.#parts = parts;
    this.#deadlines = new Deadlines(clock, deadline, name);
    this.#patience = new Deadlines(clock, deadline * PATIENCE, name);
    this.#long = new Deadlines(clock, deadline * LONG_DEADLINES, name);
    if (parts.breaker !== undefined) this.#breaker = this.#newBreaker(parts.breaker);
  }

  /** Whether the tier counts as down: it is not asked then. */
  get isDown(): boolean {
    return this.#breaker !== undefined && this.#breaker.isOpen;
  }

  /** Counts a read that was answered at once. */
  answeredNow(): void {
    this.#breaker?.answeredNow();
  }

  /** Runs what ends the tier; it has as long as a clear. */
  async end(operation: string, end: () => Promise<void>): Promise<void> {
    await this.settled();
    await this.#long.run(operation, end);
  }

  /** Asks a tier that is down no more. */
  stopProbing(): void {
    this.#breaker?.end();
  }

  /** Runs a read; gives `fallback` where the tier fails. Rejects only when the caller gives up. */
  async read<T>(
    operation: string,
    key: string | undefined,
    start: (options: OperationOptions) => Promise<T>,
    signal: AbortSignal | undefined,
    fallback: T,
  ): Promise<T> {
    const breaker = this.#breaker;
    if (breaker?.isOpen) {
      this.#parts.counters.skipped++;
      return fallback;
    }
    const call = breaker?.begin();
    try {
      const answer = await this.#deadlines.run(operation, start, signal);
      if (call !== undefined) breaker!.answered(call);
      return answer;
    } catch (error) {
      signal?.throwIfAborted();
      if (call !== undefined) breaker!.failed(call, error);
      this.failed(operation, key, error);
      return fallback;
    }
  }

  /**
   * Runs a write when its turn has come. Rejects only when the caller gives up.
   *
   * @param isCurrent asked when its turn has come; if not, it is left out.
   */
  write<T>(
    operation: string,
    keys: readonly string[],
    write: (options: OperationOptions) => Promise<T>,
    signal?: AbortSignal,
    isCurrent: () => boolean = always,
  ): Promise<T | "failed" | Superseded> {
    return this.#guarded<T | Superseded>(
      operation,
      keys,
      this.distrust.begin(),
      (options) =>
        this.#inTurn<T | Superseded>(
          keys,
          () => isCurrent() ? this.#watched(keys, options, write) : SUPERSEDED,
        ),
      signal,
    );
  }

  /**
   * Runs a write for each of many keys, a bounded number of them at once. All
   * of them take their place in the order of writes now; the time of each
   * runs from when it is begun. Rejects only when the caller gives up.
   *
   * @param write gets the place of its key.
   */
  async writeEach<T>(
    operation: string,
    keys: readonly string[],
    write: (at: number, options: OperationOptions) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<(T | "failed")[]> {
    if (this.#parts.isInProcess) {
      return await Promise.all(keys.map((key, at) =>
        this.#guarded(
          operation,
          [key],
          this.distrust.begin(),
          (options) => write(at, options),
          signal,
        )
      ));
    }
    const places = keys.map((key, at) => ({
      key,
      at,
      order: this.distrust.begin(),
      place: this.#lanes.reserve(key),
    }));
    const outcomes = await mapLimited(places, BATCH_CONCURRENCY, async (each) => {
      const { key, at, order, place } = each;
      let hasBegun = false;
      try {
        return await this.#guarded(operation, [key], order, async (options) => {
          hasBegun = true;
          try {
            await place.turn;
            return await this.#watched([key], options, (given) => write(at, given));
          } finally {
            place.leave();
          }
        }, signal);
      } catch {
        // The caller has given up; the places of all keys have to be left before it is told so.
        return "failed";
      } finally {
        if (!hasBegun) place.leave();
      }
    });
    signal?.throwIfAborted();
    return outcomes;
  }

  async #guarded<T>(
    operation: string,
    keys: readonly string[],
    order: number,
    write: (options: GuardedOptions) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T | "failed"> {
    const breaker = this.#breaker;
    if (breaker?.isOpen) {
      this.distrust.failed(keys, order);
      this.#parts.counters.skipped++;
      return "failed";
    }
    const call = breaker?.begin();
    try {
      const start = async (options: GuardedOptions): Promise<T> => {
        const result = await write(options);
        // Also when it ends past its deadline: the store then holds what was asked for.
        if (result !== "superseded") this.distrust.succeeded(keys, order);
        return result;
      };
      const result = await (this.#parts.isInProcess
        ? start(NO_OPTIONS)
        : this.#deadlines.run(operation, start, signal));
      if (call !== undefined) {
        breaker!.answered(call);
      }
      return result;
    } catch (error) {
      const failed = new Set(isCacheError(error) ? error.keys ?? keys : keys);
      this.distrust.failed([...failed], order);
      this.distrust.succeeded(keys.filter((key) => !failed.has(key)), order);
      signal?.throwIfAborted();
      if (call !== undefined) breaker!.failed(call, error);
      this.failed(operation, keys.length === 1 ? keys[0] : undefined, error);
      return "failed";
    }
  }

  /** Runs a clear when the writes before it have ended; it has {@linkcode LONG_DEADLINES}. Rejects only when the caller gives up. */
  async clear(
    pattern: string | undefined,
    start: (options: OperationOptions) => Promise<number>,
    signal?: AbortSignal,
    order: number = this.distrust.begin(),
  ): Promise<number | "failed"> {
    const { isInProcess, isVersioned } = this.#parts;
    if (this.isDown) {
      this.distrust.clearFailed(pattern, order);
      this.#parts.counters.skipped++;
      return "failed";
    }
    try {
      return await this.#long.run("clear", (options) => {
        const clear = async (stragglers: ReadonlySet<string>): Promise<number> => {
          const removed = await start(options);
          // A store that compares versions is not confused by what comes late.
          this.distrust.cleared(pattern, order, isVersioned ? NO_KEYS : stragglers);
          return removed;
        };
        if (isInProcess) return clear(NO_KEYS);
        // One that never ends must not hold up later writes for ever.
        const bounded = (stragglers: ReadonlySet<string>): Promise<number> =>
          this.#long.run("clear", () => clear(stragglers));
        return this.#lanes.runAll(bounded, this.settled());
      }, signal);
    } catch (error) {
      this.distrust.clearFailed(pattern, order);
      signal?.throwIfAborted();
      this.failed("clear", undefined, error);
      return "failed";
    }
  }

  /** Resolves when the writes under way, of all or of some keys, have ended or have been given up at their deadline. */
  async settled(keys?: readonly string[]): Promise<void> {
    try {
      await this.#deadlines.run("write", () => this.#lanes.idle(keys));
    } catch {
      // Each write that did not end in time has been told of by its own deadline.
    }
  }

  /** Counts a failure and tells of it. */
  failed(operation: string, key: string | undefined, error: unknown): void {
    const { name, counters, events } = this.#parts;
    counters.errors++;
    if (isCacheError(error, "timeout")) counters.timeouts++;
    events.emit("tierError", { tier: name, operation, key, error });
  }

  #newBreaker(options: BreakerOptions): CircuitBreaker {
    const { name, deadline, clock, random, events, probe } = this.#parts;
    const deadlines = new Deadlines(clock, Math.min(deadline, options.probeDeadline), name);
    return new CircuitBreaker({
      options,
      clock,
      random,
      probe: () => deadlines.run("probe", probe),
      onOpen: (error) => events.emit("tierDown", { tier: name, error }),
      onClose: (downMs) => {
        events.emit("tierUp", { tier: name, downMs });
        this.onUp();
      },
    });
  }

  /**
   * Begins a write whose turn has come, unless it was given up before. It holds
   * up the next ones until it ends, but not for ever. If it ends after all, it
   * may have overwritten what came after it.
   */
  #watched<T>(
    keys: readonly string[],
    options: GuardedOptions,
    write: (options: OperationOptions) => Promise<T>,
  ): Promise<T> {
    if (this.#parts.isInProcess) return write(options);
    let isOver = false;
    return this.#patience.run("write", async () => {
      if (options.reason !== undefined) throw options.reason;
      try {
        return await write(options);
      } finally {
        if (isOver && !this.#parts.isVersioned) this.distrust.failed(keys, this.distrust.begin());
      }
    }).finally(() => isOver = true);
  }

  #inTurn<T>(keys: readonly string[], write: () => Promise<T>): Promise<T> {
    if (this.#parts.isInProcess) return write();
    return keys.length === 1 ? this.#lanes.run(keys[0]!, write) : this.#lanes.runMany(keys, write);
  }
}

const NO_OPTIONS: OperationOptions = Object.freeze({});

const NO_KEYS: ReadonlySet<string> = new Set();

const SUPERSEDED: Promise<Superseded> = Promise.resolve("superseded");

function always(): boolean {
  return true;
}
