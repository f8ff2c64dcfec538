import type { CacheEntry } from "../entry/entry.ts";
import { CacheError, isCacheError } from "../errors.ts";
import type { EventHub, TierOutcome } from "../observability/events.ts";
import { TierCounters, type TierStats } from "../observability/stats.ts";
import type { BackendStats, CacheBackend, Clock } from "../types.ts";
import { mapLimited } from "./map_limited.ts";
import { type Superseded, TierGuard } from "./tier_guard.ts";
import { admits, capped, type TierLimits } from "./tier_limits.ts";

/** Single reads or writes under way at once where a backend has no batch call. */
const BATCH_CONCURRENCY = 64;

/** How an entry came to be written. */
type Occasion = "writes" | "promotions";

/** What a write did in a tier. */
export type WriteOutcome = TierOutcome["outcome"] | Superseded;

/**
 * One backend in its place among the tiers, and the only caller of it. Reads
 * never fail: what goes wrong is counted, told as an event, and a miss. Writes
 * give an outcome. A key whose write failed here is not read here until a
 * later write or delete has succeeded: an older value may stand under it.
 */
export class Tier {
  /** Names the tier in statistics and events. */
  readonly name: string;
  /** Whether the backend answers without waiting. Each of its writes is done when it returns its promise. */
  readonly isInProcess: boolean;
  readonly #backend: CacheBackend;
  readonly #limits: TierLimits;
  readonly #clock: Clock;
  readonly #events: EventHub;
  readonly #guard: TierGuard;
  readonly #counters = new TierCounters();
  #mending = false;

  constructor(backend: CacheBackend, limits: TierLimits, clock: Clock, events: EventHub) {
    this.name = backend.name;
    this.isInProcess = backend.getSync !== undefined;
    this.#backend = backend;
    this.#limits = limits;
    this.#clock = clock;
    this.#events = events;
    const { name, isInProcess } = this;
    const { deadline } = limits;
    const counters = this.#counters;
    this.#guard = new TierGuard({ name, isInProcess, deadline, clock, events, counters });
  }

  /**
   * Reads at once, without counting: only for a tier that {@linkcode Tier.isInProcess}.
   * A failure is a miss here, and told by the {@linkcode Tier.get} that follows.
   */
  getNow(key: string): CacheEntry | undefined {
    if (!this.#guard.distrust.isEmpty && this.#guard.distrust.has(key)) return undefined;
    try {
      return this.#backend.getSync!(key) ?? undefined;
    } catch {
      return undefined;
    }
  }

  /** Counts what was read by {@linkcode Tier.getNow}. */
  countHit(): void {
    this.#counters.hits++;
  }

  /** Reads without counting as a use; only memory can. */
  peek(key: string): CacheEntry | undefined {
    if (this.#guard.distrust.has(key)) return undefined;
    try {
      return this.#backend.peek?.(key) ?? undefined;
    } catch (error) {
      this.#guard.failed("peek", key, error);
      return undefined;
    }
  }

  /** Reads one entry. Rejects only when the caller gives up. */
  async get(key: string, signal?: AbortSignal): Promise<CacheEntry | undefined> {
    if (this.#guard.distrust.has(key)) return this.#mend(key);
    if (this.isInProcess) return this.#getSync(key);
    const entry = await this.#guard.read(
      "read",
      key,
      (options) => this.#backend.get(key, options),
      signal,
      undefined,
    );
    return this.#answered(key, entry);
  }

  /** Reads many entries, in one request where the backend can. */
  async getMany(
    keys: readonly string[],
    signal?: AbortSignal,
  ): Promise<(CacheEntry | undefined)[]> {
    const backend = this.#backend;
    if (this.isInProcess) {
      return keys.map((key) =>
        this.#guard.distrust.has(key) ? this.#mend(key) : this.#getSync(key)
      );
    }
    if (backend.getMany === undefined) {
      return await mapLimited(keys, BATCH_CONCURRENCY, (key) => this.get(key, signal));
    }
    const entries = await this.#guard.read<(CacheEntry | undefined)[]>(
      "read",
      undefined,
      async (options) =>
        this.#ofLength(keys.length, await backend.getMany!(keys, options), "entries"),
      signal,
      [],
    );
    return keys.map((key, at) => this.#answered(key, entries[at]));
  }

  /** Tells whether an entry is here. */
  async exists(key: string, signal?: AbortSignal): Promise<boolean> {
    if (this.#guard.distrust.has(key)) return false;
    const isThere = await this.#guard.read(
      "look up",
      key,
      (options) => this.#backend.exists(key, options),
      signal,
      false,
    );
    return isThere && !this.#guard.distrust.has(key);
  }

  /** Writes one entry as its caller's latest word on the key. */
  async set(
    entry: CacheEntry,
    signal?: AbortSignal,
    isCurrent?: () => boolean,
  ): Promise<WriteOutcome> {
    return await this.#write(entry, "writes", signal, isCurrent);
  }

  /**
   * Copies an entry from a slower tier.
   *
   * @param isCurrent asked just before the copy is made, when earlier writes of the key have ended.
   */
  async promote(entry: CacheEntry, isCurrent: () => boolean): Promise<boolean> {
    if (entry.expiresAt <= this.#clock.now() || this.#guard.distrust.has(entry.key)) return false;
    return await this.#write(entry, "promotions", undefined, isCurrent) === "stored";
  }

  /**
   * Writes many entries, in one request where the backend can.
   *
   * @param isCurrent asked for each entry that has to wait for its turn: by then a later write may have come.
   */
  async setMany(
    entries: readonly CacheEntry[],
    isCurrent: (entry: CacheEntry) => boolean,
    signal?: AbortSignal,
  ): Promise<WriteOutcome[]> {
    const backend = this.#backend;
    if (
      this.isInProcess || backend.setMany === undefined ||
      !entries.every((entry) => admits(this.#limits, entry))
    ) {
      const concurrency = this.isInProcess ? Infinity : BATCH_CONCURRENCY;
      return await mapLimited(
        entries,
        concurrency,
        (entry) => this.set(entry, signal, () => isCurrent(entry)),
      );
    }
    if (entries.length === 0) return [];
    const now = this.#clock.now();
    const copies = entries.map((entry) => capped(this.#limits, entry, now));
    const stored = await this.#guard.write(
      "write",
      entries.map((entry) => entry.key),
      async (options) =>
        this.#ofLength(copies.length, await backend.setMany!(copies, options), "outcomes"),
      signal,
    );
    return Array.isArray(stored)
      ? stored.map((ok) => this.#count(ok, "writes"))
      : entries.map(() => "failed");
  }

  /** Removes one entry. A failure is told, and the key not read here until it has been mended. */
  async delete(
    key: string,
    signal?: AbortSignal,
    isCurrent?: () => boolean,
  ): Promise<boolean> {
    const removed = await this.#guard.write(
      "delete",
      [key],
      (options) => this.#backend.delete(key, options),
      signal,
      isCurrent,
    );
    return removed === true;
  }

  /** Removes many entries, in one request where the backend can. @returns how many were there. */
  async deleteMany(
    keys: readonly string[],
    isCurrent: (key: string) => boolean,
    signal?: AbortSignal,
  ): Promise<number> {
    const backend = this.#backend;
    if (backend.deleteMany === undefined) {
      const concurrency = this.isInProcess ? Infinity : BATCH_CONCURRENCY;
      const removed = await mapLimited(
        keys,
        concurrency,
        (key) => this.delete(key, signal, () => isCurrent(key)),
      );
      return removed.filter(Boolean).length;
    }
    const removed = await this.#guard.write(
      "delete",
      keys,
      (options) => backend.deleteMany!(keys, options),
      signal,
    );
    return typeof removed === "number" ? removed : 0;
  }

  /** Removes all entries that match. Has no deadline: it takes as long as there are entries. */
  async clear(pattern: string | undefined, signal?: AbortSignal): Promise<number> {
    const removed = await this.#guard.clear(
      pattern,
      (options) => this.#backend.clear(pattern, options),
      signal,
    );
    return typeof removed === "number" ? removed : 0;
  }

  /** Takes a record that cannot be decoded out of the tier. */
  async discard(key: string, error: unknown, isCurrent: () => boolean): Promise<void> {
    this.#counters.hits--;
    this.#counters.misses++;
    this.#events.emit("corrupt", { tier: this.name, key, error });
    // What a later version wrote is not ours to remove.
    if (!isCacheError(error, "unsupported-format")) await this.delete(key, undefined, isCurrent);
  }

  /** Resolves when all writes have ended and are durable. */
  async flush(): Promise<void> {
    await this.#guard.settled();
    await this.#backend.flush?.();
  }

  /** Drains and closes the backend. */
  async close(): Promise<void> {
    await this.#guard.settled();
    await this.#backend.close?.();
  }

  /** What the tier did, and what it holds if that is asked for and the backend answers. */
  async getStats(asksBackend: boolean): Promise<TierStats> {
    const held = asksBackend
      ? await this.#guard.read<BackendStats>(
        "read the statistics",
        undefined,
        () => this.#backend.getStats(),
        undefined,
        {},
      )
      : {};
    return { ...held, name: this.name, ...this.#counters };
  }

  async #write(
    entry: CacheEntry,
    occasion: Occasion,
    signal: AbortSignal | undefined,
    isCurrent: (() => boolean) | undefined,
  ): Promise<WriteOutcome> {
    const { key } = entry;
    if (!admits(this.#limits, entry)) {
      // What stands under the key is older than what was declined.
      if (occasion === "writes") await this.delete(key, signal, isCurrent);
      return this.#count(false, occasion);
    }
    const copy = capped(this.#limits, entry, this.#clock.now());
    const stored = await this.#guard.write(
      "write",
      [key],
      (options) => this.#backend.set(key, copy, options),
      signal,
      isCurrent,
    );
    return typeof stored === "string" ? stored : this.#count(stored, occasion);
  }

  #count(stored: boolean, occasion: Occasion): "stored" | "declined" {
    this.#counters[stored ? occasion : "declined"]++;
    return stored ? "stored" : "declined";
  }

  #getSync(key: string): CacheEntry | undefined {
    try {
      const entry = this.#backend.getSync!(key) ?? undefined;
      this.#counters[entry === undefined ? "misses" : "hits"]++;
      return entry;
    } catch (error) {
      this.#guard.failed("read", key, error);
      this.#counters.misses++;
      return undefined;
    }
  }

  /** Counts what a backend answered, and lets only pass what was set for the very key. */
  #answered(key: string, entry: CacheEntry | null | undefined): CacheEntry | undefined {
    // A write may have failed while the read was under way.
    let found = this.#guard.distrust.has(key) ? undefined : entry ?? undefined;
    if (found !== undefined && found.key !== key) {
      found = undefined;
      this.#events.emit("corrupt", {
        tier: this.name,
        key,
        error: new CacheError("corrupt", "Cannot use entry: it is of another key", {
          backend: this.name,
          key,
        }),
      });
    }
    this.#counters[found === undefined ? "misses" : "hits"]++;
    return found;
  }

  /** A miss; removes what stands under the key meanwhile, one such try at a time. */
  #mend(key: string): undefined {
    this.#counters.misses++;
    if (this.#mending) return;
    this.#mending = true;
    // A write that came first may have mended it by the time that it is this one's turn.
    this.delete(key, undefined, () => this.#guard.distrust.has(key)).finally(() =>
      this.#mending = false
    );
  }

  #ofLength<T>(length: number, answer: readonly T[], what: string): T[] {
    if (Array.isArray(answer) && answer.length === length) return answer;
    throw new CacheError(
      "backend",
      `Cannot use answer of tier "${this.name}": it has ${
        Array.isArray(answer) ? answer.length : "no"
      } ${what} for ${length} keys`,
      { backend: this.name },
    );
  }
}
