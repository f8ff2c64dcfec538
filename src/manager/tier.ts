import type { CacheEntry } from "../entry/entry.ts";
import { CacheError, isCacheError } from "../errors.ts";
import type { EventHub, TierOutcome } from "../observability/events.ts";
import { TierCounters, type TierStats } from "../observability/stats.ts";
import type { BackendStats, CacheBackend, Clock, OperationOptions } from "../types.ts";
import { Deadlines } from "./deadline.ts";
import { Distrust } from "./distrust.ts";
import { mapLimited } from "./map_limited.ts";
import { sizeOf } from "../size_of.ts";
import { WriteLanes } from "./write_lanes.ts";

/** Limits that the manager lays on a tier, whatever its backend. */
export interface TierLimits {
  /** The longest that entries live here, in milliseconds; `Infinity` for as long as they do elsewhere. */
  readonly maxTtl: number;
  /** The largest frame that is admitted, in bytes. */
  readonly maxEntryBytes: number;
  /** The time that one operation may take, in milliseconds. */
  readonly deadline: number;
}

/** Single reads or writes under way at once where a backend has no batch call. */
const BATCH_CONCURRENCY = 64;

/** How an entry came to be written. */
type Occasion = "writes" | "promotions";

/**
 * One backend in its place among the tiers, and the only caller of it. Reads
 * never fail: what goes wrong is counted, told as an event, and a miss. Writes
 * give an outcome. A key whose write failed here is not read here until a
 * later write or delete has succeeded: an older value may stand under it.
 */
export class Tier {
  /** Names the tier in statistics and events. */
  readonly name: string;
  readonly #backend: CacheBackend;
  readonly #limits: TierLimits;
  readonly #clock: Clock;
  readonly #events: EventHub;
  readonly #deadlines: Deadlines;
  readonly #lanes = new WriteLanes();
  readonly #distrust = new Distrust();
  readonly #counters = new TierCounters();
  #mending = false;

  constructor(backend: CacheBackend, limits: TierLimits, clock: Clock, events: EventHub) {
    this.name = backend.name;
    this.#backend = backend;
    this.#limits = limits;
    this.#clock = clock;
    this.#events = events;
    this.#deadlines = new Deadlines(clock, limits.deadline, backend.name);
  }

  /** The backend itself, where it answers without waiting. */
  get inProcess(): (CacheBackend & Required<Pick<CacheBackend, "getSync">>) | undefined {
    return this.#backend.getSync === undefined
      ? undefined
      : this.#backend as CacheBackend & Required<Pick<CacheBackend, "getSync">>;
  }

  /** Counts what was read from {@linkcode Tier.inProcess} without this tier. */
  countHit(): void {
    this.#counters.hits++;
  }

  /** Reads without counting as a use; only memory can. */
  peek(key: string): CacheEntry | undefined {
    return this.#backend.peek?.(key);
  }

  /** Reads one entry. Rejects only when the caller gives up. */
  async get(key: string, signal?: AbortSignal): Promise<CacheEntry | undefined> {
    const inProcess = this.inProcess;
    if (inProcess !== undefined) return this.#counted(inProcess.getSync(key));
    if (this.#distrust.has(key)) return this.#mend(key);
    const entry = await this.#guard(
      "read",
      key,
      (options) => this.#backend.get(key, options),
      signal,
      undefined,
    );
    // A write may have failed while the read was under way.
    return this.#counted(this.#distrust.has(key) ? undefined : entry);
  }

  /** Reads many entries, in one request where the backend can. */
  async getMany(
    keys: readonly string[],
    signal?: AbortSignal,
  ): Promise<(CacheEntry | undefined)[]> {
    const backend = this.#backend;
    if (this.inProcess !== undefined || backend.getMany === undefined) {
      return await mapLimited(keys, BATCH_CONCURRENCY, (key) => this.get(key, signal));
    }
    const entries = await this.#guard(
      "read",
      undefined,
      async (options) => {
        const answer = await backend.getMany!(keys, options);
        if (answer.length !== keys.length) throw this.#wrongLength(answer.length, keys.length);
        return answer;
      },
      signal,
      [],
    );
    return keys.map((key, at) => this.#counted(this.#distrust.has(key) ? undefined : entries[at]));
  }

  /** Tells whether an entry is here. */
  async exists(key: string, signal?: AbortSignal): Promise<boolean> {
    if (this.#distrust.has(key)) return false;
    return await this.#guard(
      "look up",
      key,
      (options) => this.#backend.exists(key, options),
      signal,
      false,
    );
  }

  /** Writes one entry as its caller's latest word on the key. */
  async set(entry: CacheEntry, signal?: AbortSignal): Promise<TierOutcome["outcome"]> {
    return await this.#write(entry, "writes", signal);
  }

  /**
   * Copies an entry from a slower tier.
   *
   * @param isCurrent asked just before the copy is made, when earlier writes of the key have ended.
   */
  async promote(entry: CacheEntry, isCurrent: () => boolean): Promise<boolean> {
    if (entry.expiresAt <= this.#clock.now() || this.#distrust.has(entry.key)) return false;
    const outcome = await this.#write(entry, "promotions", undefined, isCurrent);
    return outcome === "stored";
  }

  /** Writes many entries, in one request where the backend can. */
  async setMany(
    entries: readonly CacheEntry[],
    signal?: AbortSignal,
  ): Promise<TierOutcome["outcome"][]> {
    const backend = this.#backend;
    if (
      this.inProcess !== undefined || backend.setMany === undefined ||
      !entries.every((entry) => this.#admits(entry))
    ) {
      return await mapLimited(entries, BATCH_CONCURRENCY, (entry) => this.set(entry, signal));
    }
    const keys = entries.map((entry) => entry.key);
    const capped = entries.map((entry) => this.#capped(entry));
    const stored = await this.#guardWrite(
      "write",
      keys,
      (options) => this.#lanes.runMany(keys, () => backend.setMany!(capped, options)),
      signal,
    );
    if (stored === undefined) return keys.map(() => "failed");
    return stored.map((ok) => this.#count(ok, "writes"));
  }

  /** Removes one entry. A failure is told, and the key not read here until it has been mended. */
  async delete(key: string, signal?: AbortSignal): Promise<boolean> {
    const removed = await this.#guardWrite(
      "delete",
      [key],
      (options) => this.#lanes.run(key, () => this.#backend.delete(key, options)),
      signal,
    );
    return removed === true;
  }

  /** Removes many entries, in one request where the backend can. @returns how many were there. */
  async deleteMany(keys: readonly string[], signal?: AbortSignal): Promise<number> {
    const backend = this.#backend;
    if (backend.deleteMany === undefined) {
      const removed = await mapLimited(keys, BATCH_CONCURRENCY, (key) => this.delete(key, signal));
      return removed.filter(Boolean).length;
    }
    const removed = await this.#guardWrite(
      "delete",
      keys,
      (options) => this.#lanes.runMany(keys, () => backend.deleteMany!(keys, options)),
      signal,
    );
    return removed ?? 0;
  }

  /** Removes all entries that match. Has no deadline: it takes as long as there are entries. */
  async clear(pattern: string | undefined, signal?: AbortSignal): Promise<number> {
    try {
      const removed = await this.#lanes.runAll(() => this.#backend.clear(pattern, { signal }));
      this.#distrust.cleared(pattern);
      return removed;
    } catch (error) {
      signal?.throwIfAborted();
      this.#distrust.addMatching(pattern);
      this.#failed("clear", undefined, error);
      return 0;
    }
  }

  /** Takes a record that cannot be decoded out of the tier. */
  async discard(key: string, error: unknown, isCurrent: () => boolean): Promise<void> {
    this.#counters.hits--;
    this.#counters.misses++;
    this.#events.emit("corrupt", { tier: this.name, key, error });
    // What a later version wrote is not ours to remove.
    if (isCacheError(error, "unsupported-format")) return;
    await this.#guardWrite(
      "delete",
      [key],
      (options) =>
        this.#lanes.run(
          key,
          () => isCurrent() ? this.#backend.delete(key, options) : Promise.resolve(false),
        ),
      undefined,
    );
  }

  /** Resolves when all writes have ended and are durable. */
  async flush(): Promise<void> {
    await this.#lanes.idle();
    await this.#backend.flush?.();
  }

  /** Drains and closes the backend. */
  async close(): Promise<void> {
    await this.#lanes.idle();
    await this.#backend.close?.();
  }

  /** What the tier did, and what it holds if that is asked for and the backend answers. */
  async getStats(asksBackend: boolean): Promise<TierStats> {
    if (!asksBackend) return { name: this.name, ...this.#counters };
    const held = await this.#guard<BackendStats>(
      "read the statistics",
      undefined,
      () => this.#backend.getStats(),
      undefined,
      {},
    );
    return { name: this.name, ...this.#counters, ...held };
  }

  async #write(
    entry: CacheEntry,
    occasion: Occasion,
    signal: AbortSignal | undefined,
    isCurrent: () => boolean = () => true,
  ): Promise<TierOutcome["outcome"]> {
    const { key } = entry;
    const inProcess = this.inProcess;
    if (!this.#admits(entry)) {
      // What stands under the key is older than what was declined.
      if (occasion === "writes") await this.delete(key, signal);
      return this.#count(false, occasion);
    }
    const capped = this.#capped(entry);
    if (inProcess !== undefined) {
      // Done when this returns its promise: there is nothing to wait for, and nothing to overtake it.
      return isCurrent() ? this.#count(await inProcess.set(key, capped), occasion) : "failed";
    }
    const stored = await this.#guardWrite(
      "write",
      [key],
      (options) =>
        this.#lanes.run(
          key,
          () => isCurrent() ? this.#backend.set(key, capped, options) : Promise.resolve(undefined),
        ),
      signal,
    );
    return stored === undefined ? "failed" : this.#count(stored, occasion);
  }

  #count(stored: boolean, occasion: Occasion): "stored" | "declined" {
    this.#counters[stored ? occasion : "declined"]++;
    return stored ? "stored" : "declined";
  }

  #admits(entry: CacheEntry): boolean {
    const { maxEntryBytes } = this.#limits;
    if (maxEntryBytes === Infinity) return true;
    const size = entry.encodedSize ?? (entry.isLive ? sizeOf(entry.value()) : 0);
    return size <= maxEntryBytes;
  }

  #capped(entry: CacheEntry): CacheEntry {
    const { maxTtl } = this.#limits;
    if (maxTtl === Infinity) return entry;
    const latest = this.#clock.now() + maxTtl;
    return entry.staleUntil <= latest ? entry : entry.withTimes(
      Math.min(entry.expiresAt, latest),
      latest,
    );
  }

  #counted(entry: CacheEntry | undefined): CacheEntry | undefined {
    if (entry === undefined) return this.#miss();
    this.#counters.hits++;
    return entry;
  }

  #miss(): undefined {
    this.#counters.misses++;
  }

  /** A miss; removes what stands under the key meanwhile, one such try at a time. */
  #mend(key: string): undefined {
    if (!this.#mending) {
      this.#mending = true;
      this.delete(key).finally(() => this.#mending = false);
    }
    return this.#miss();
  }

  /** Runs a read; gives `fallback` where the tier fails. */
  async #guard<T>(
    operation: string,
    key: string | undefined,
    start: (options: OperationOptions) => Promise<T>,
    signal: AbortSignal | undefined,
    fallback: T,
  ): Promise<T> {
    try {
      return await this.#deadlines.run(operation, start, signal);
    } catch (error) {
      signal?.throwIfAborted();
      this.#failed(operation, key, error);
      return fallback;
    }
  }

  /** Runs a write; gives `undefined` where the tier fails, and distrusts its keys until one succeeds. */
  async #guardWrite<T>(
    operation: string,
    keys: readonly string[],
    start: (options: OperationOptions) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T | undefined> {
    const intent = this.#distrust.begin(keys);
    try {
      return await this.#deadlines.run(operation, async (options) => {
        const result = await start(options);
        // Also when it ends past its deadline: the store then holds what was asked for.
        intent.succeeded();
        return result;
      }, signal);
    } catch (error) {
      intent.failed();
      signal?.throwIfAborted();
      this.#failed(operation, keys.length === 1 ? keys[0] : undefined, error);
      return undefined;
    }
  }

  #failed(operation: string, key: string | undefined, error: unknown): void {
    this.#counters.errors++;
    if (isCacheError(error, "timeout")) this.#counters.timeouts++;
    this.#events.emit("tierError", { tier: this.name, operation, key, error });
  }

  #wrongLength(actual: number, expected: number): CacheError {
    return new CacheError(
      "backend",
      `Cannot read from tier "${this.name}": it answered ${actual} entries for ${expected} keys`,
      { backend: this.name },
    );
  }
}
