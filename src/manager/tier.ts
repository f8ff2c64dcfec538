import type { CacheEntry } from "../entry/entry.ts";
import { isCacheError } from "../errors.ts";
import type { EventHub, TierOutcome } from "../observability/events.ts";
import { TierCounters, type TierStats } from "../observability/stats.ts";
import type {
  BackendStats,
  CacheBackend,
  Clock,
  OperationOptions,
  VersionedOutcome,
} from "../types.ts";
import { BackendWriter, ofLength } from "./backend_writer.ts";
import { mapLimited } from "./map_limited.ts";
import { tellOtherKey } from "./other_key.ts";
import { type Superseded, TierGuard } from "./tier_guard.ts";
import { admits, capped, type TierLimits } from "./tier_limits.ts";
import { TierStreams } from "./tier_streams.ts";

/** Single reads under way at once where a backend has no batch call. */
const BATCH_CONCURRENCY = 64;

/** How an entry came to be written. */
type Occasion = "writes" | "promotions";

/** What a write did in a tier. */
type WriteOutcome = TierOutcome["outcome"];

/** What a promotion did; it is left out where it came too late. */
type PromotionOutcome = WriteOutcome | Superseded;

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
  /** What moves streams in and out. */
  readonly streams: TierStreams;
  readonly #backend: CacheBackend;
  readonly #writer: BackendWriter;
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
    this.#writer = new BackendWriter(backend);
    this.#limits = limits;
    this.#clock = clock;
    this.#events = events;
    const { name, isInProcess } = this;
    const counters = this.#counters;
    this.#guard = new TierGuard({ name, isInProcess, ...limits, clock, events, counters });
    const parts = { tier: this, backend, limits, clock, counters };
    this.streams = new TierStreams({ ...parts, guard: this.#guard, writer: this.#writer });
  }

  /**
   * Reads at once, without counting: only for a tier that {@linkcode Tier.isInProcess}.
   *
   * @returns `"wait"` where the {@linkcode Tier.get} that has to follow tells of a failure or mends one.
   */
  getNow(key: string): CacheEntry | undefined | "wait" {
    if (!this.#guard.distrust.isEmpty && this.#guard.distrust.has(key)) return "wait";
    try {
      return this.#backend.getSync!(key) ?? undefined;
    } catch {
      return "wait";
    }
  }

  /**
   * Reads at once where the backend can, without counting. A failure is told
   * by the {@linkcode Tier.get} that has to follow.
   */
  readNow(key: string): CacheEntry | undefined | "wait" {
    if (this.isInProcess) return this.getNow(key);
    const backend = this.#backend;
    if (backend.readNow === undefined || !this.#guard.distrust.isEmpty) return "wait";
    try {
      const entry = backend.readNow(key);
      return entry === undefined || entry === "wait" || entry.key === key ? entry : "wait";
    } catch {
      return "wait";
    }
  }

  /** Counts what was read by {@linkcode Tier.getNow} or {@linkcode Tier.readNow}. */
  countHit(): void {
    this.#counters.hits++;
  }

  /** Counts what was missed by {@linkcode Tier.readNow}. */
  countMiss(): void {
    this.#counters.misses++;
  }

  /**
   * Copies an entry from a slower tier at once: only for a tier that
   * {@linkcode Tier.isInProcess}, and a live entry whose key is quiet.
   */
  promoteNow(entry: CacheEntry): void {
    if (!admits(this.#limits, entry) || this.#guard.distrust.has(entry.key)) return;
    const failed = (error: unknown): void => this.#guard.failed("write", entry.key, error);
    try {
      const copy = capped(this.#limits, entry, this.#clock.now());
      this.#backend.set(entry.key, copy).then(
        (stored) => this.#count(stored ? "stored" : "declined", "promotions"),
        failed,
      );
    } catch (error) {
      failed(error);
    }
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
    // What is mended while the read is under way may have been read before that.
    const trusted = keys.filter((key) => !this.#guard.distrust.has(key));
    const entries = trusted.length === 0 ? [] : await this.#guard.read<(CacheEntry | undefined)[]>(
      "read",
      undefined,
      async (options) =>
        ofLength(backend, trusted.length, await backend.getMany!(trusted, options), "entries"),
      signal,
      [],
    );
    const found = new Map(trusted.map((key, at) => [key, this.#answered(key, entries[at])]));
    return keys.map((key) => found.has(key) ? found.get(key) : this.#mend(key));
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
  async set(entry: CacheEntry, signal?: AbortSignal): Promise<WriteOutcome> {
    const stored = await this.#guard.write(
      "write",
      [entry.key],
      (options) => this.#store(entry, options),
      signal,
    );
    return stored === "superseded" ? "failed" : this.#count(stored, "writes");
  }

  /**
   * Copies an entry from a slower tier.
   *
   * @param isCurrent asked just before the copy is made, when earlier writes of the key have ended.
   */
  async promote(entry: CacheEntry, isCurrent: () => boolean): Promise<PromotionOutcome> {
    const { key, expiresAt } = entry;
    if (expiresAt <= this.#clock.now() || this.#guard.distrust.has(key)) return "superseded";
    if (!admits(this.#limits, entry)) return this.#count("declined", "promotions");
    const stored = await this.#guard.write(
      "write",
      [key],
      (options) => this.#store(entry, options),
      undefined,
      isCurrent,
    );
    return this.#count(stored, "promotions");
  }

  /** Writes many entries of different keys, in one request where the backend can. */
  async setMany(entries: readonly CacheEntry[], signal?: AbortSignal): Promise<WriteOutcome[]> {
    if (entries.length === 0) return [];
    const keys = entries.map((entry) => entry.key);
    const isBatch = !this.isInProcess && this.#writer.storesMany &&
      entries.every((entry) => admits(this.#limits, entry));
    const stored = isBatch
      ? await this.#guard.write("write", keys, async (options) => {
        const now = this.#clock.now();
        const copies = entries.map((entry) => capped(this.#limits, entry, now));
        return await this.#writer.storeMany(copies, options);
      }, signal)
      : await this.#guard.writeEach(
        "write",
        keys,
        (at, options) => this.#store(entries[at]!, options),
        signal,
      );
    if (!Array.isArray(stored)) return keys.map(() => "failed");
    return stored.map((outcome) => this.#count(outcome, "writes"));
  }

  /** Removes one entry. A failure is told, and the key not read here until it has been mended. */
  async delete(key: string, version: number, signal?: AbortSignal): Promise<boolean> {
    const removed = await this.#guard.write(
      "delete",
      [key],
      (options) => this.#writer.erase(key, version, options),
      signal,
    );
    return removed === true;
  }

  /** Removes many entries, in one request where the backend can. @returns how many were there. */
  async deleteMany(
    keys: readonly string[],
    version: number,
    signal?: AbortSignal,
  ): Promise<number> {
    const backend = this.#backend;
    if (this.isInProcess || !this.#writer.erasesMany) {
      const removed = await this.#guard.writeEach(
        "delete",
        keys,
        (at, options) => backend.delete(keys[at]!, options),
        signal,
      );
      return removed.filter((outcome) => outcome === true).length;
    }
    const removed = await this.#guard.write(
      "delete",
      keys,
      (options) => this.#writer.eraseMany(keys, version, options),
      signal,
    );
    return typeof removed === "number" ? removed : 0;
  }

  /** Removes what is held of a key unless it is newer than a version: another process has changed it. */
  async drop(key: string, version: number): Promise<void> {
    await this.#guard.write<true | Superseded>(
      "delete",
      [key],
      // A newer one that stays says nothing of an earlier write that failed.
      async (options) => await this.#writer.eraseOlder(key, version, options) || "superseded",
    );
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
    if (isCacheError(error, "too-large")) return this.#guard.failed("read", key, error);
    this.#events.emit("corrupt", { tier: this.name, key, error });
    // What a later version wrote is not ours to remove.
    if (!isCacheError(error, "unsupported-format")) await this.#remove(key, isCurrent);
  }

  /** Resolves when the writes of some keys that were asked for so far have ended, or have been given up. */
  settled(keys: readonly string[]): Promise<void> {
    return this.#guard.settled(keys);
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

  /** Stores an entry as it may live here; what stands under the key of one that is declined is older and goes. */
  async #store(entry: CacheEntry, options: OperationOptions): Promise<VersionedOutcome> {
    const { key, version } = entry;
    if (admits(this.#limits, entry)) {
      return await this.#writer.store(capped(this.#limits, entry, this.#clock.now()), options);
    }
    await this.#writer.erase(key, version, options);
    return "declined";
  }

  async #remove(key: string, isCurrent: () => boolean): Promise<void> {
    await this.#guard.write(
      "delete",
      [key],
      (options) => this.#backend.delete(key, options),
      undefined,
      isCurrent,
    );
  }

  #count<O extends PromotionOutcome>(outcome: O, occasion: Occasion): O {
    if (outcome === "stored") this.#counters[occasion]++;
    else if (outcome === "declined") this.#counters.declined++;
    return outcome;
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
      tellOtherKey(this.#events, this.name, key);
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
    this.#remove(key, () => this.#guard.distrust.has(key)).finally(() => this.#mending = false);
  }
}
