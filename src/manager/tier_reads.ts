import type { CacheEntry } from "../entry/entry.ts";
import { isCacheError } from "../errors.ts";
import type { VersionClock } from "../entry/version.ts";
import type { EventHub } from "../observability/events.ts";
import { TierCounters } from "../observability/stats.ts";
import type { CacheBackend, Clock } from "../types.ts";
import { ofLength } from "./backend_writer.ts";
import { DEFAULT_BREAKER } from "./breaker_options.ts";
import { mapLimited } from "./map_limited.ts";
import { tellOtherKey } from "./other_key.ts";
import { isReserved, reservedKey } from "./scope.ts";
import { TierGuard } from "./tier_guard.ts";
import type { TierLimits } from "./tier_limits.ts";

/** Single reads under way at once where a backend has no batch call. */
const BATCH_CONCURRENCY = 64;

/** What is read to find out whether a tier answers. */
const PROBE_KEY = reservedKey("probe", "");

/** What all tiers of a cache share. */
export interface TierContext {
  /** The one source of time. */
  readonly clock: Clock;
  /** The one source of randomness. */
  readonly random: () => number;
  /** Takes what happens. */
  readonly events: EventHub;
  /** Makes versions. */
  readonly versions: VersionClock;
}

/** What becomes of writes that did not come to a tier. */
export interface TierRepairs {
  /** Whether what was meant for a key waits to be brought there. */
  has(key: string): boolean;
  /** The latest version of all that has not come to every tier at once; 0 for none. */
  readonly meantUpTo: number;
  /** What a tier held of a key, up to a version, has been removed in place of what was given up. */
  mended(key: string, version: number): void;
  /** That has failed. */
  mendLater(key: string, version: number): void;
}

/**
 * What a tier does to read. What goes wrong is counted, told as an event, and a
 * miss; so is a key whose write failed, until that is mended.
 */
export class TierReads {
  /** Names the tier in statistics and events. */
  readonly name: string;
  /** Whether the backend answers without waiting. Each of its writes is done when it returns its promise. */
  readonly isInProcess: boolean;
  protected readonly backend: CacheBackend;
  protected readonly limits: TierLimits;
  protected readonly clock: Clock;
  protected readonly events: EventHub;
  protected readonly guard: TierGuard;
  protected readonly counters: TierCounters = new TierCounters();
  /** Knows which keys wait to be repaired; they are not mended by a read. */
  repairs: TierRepairs | undefined;
  readonly #versions: VersionClock;
  #mending = false;

  constructor(
    backend: CacheBackend,
    limits: TierLimits,
    { clock, random, events, versions }: TierContext,
  ) {
    this.name = backend.name;
    this.isInProcess = backend.getSync !== undefined;
    this.backend = backend;
    this.limits = limits;
    this.clock = clock;
    this.events = events;
    this.#versions = versions;
    const { name, isInProcess } = this;
    const fallback = backend.failsInParts ? false : DEFAULT_BREAKER;
    const breaker = isInProcess ? false : limits.breaker ?? fallback;
    this.guard = new TierGuard({
      name,
      isInProcess,
      deadline: limits.deadline,
      clock,
      random,
      events,
      counters: this.counters,
      breaker: breaker === false ? undefined : breaker,
      probe: (options) => backend.get(PROBE_KEY, options),
      isVersioned: backend.setNewest !== undefined,
    });
  }

  /** Whether the tier counts as down. */
  get isDown(): boolean {
    return this.guard.isDown;
  }

  /** Whether the store keeps the newest version of each key, whatever comes late. */
  get isVersioned(): boolean {
    return this.backend.setNewest !== undefined;
  }

  /** Calls back each time that the tier is up again. */
  onUp(callback: () => void): void {
    this.guard.onUp = callback;
  }

  /** Whether the tier may hold something older than it should under a key. */
  distrusts(key: string): boolean {
    return this.guard.distrust.has(key);
  }

  /** Whether a clear of a pattern has failed here, and not been made good. */
  missedClear(pattern: string | undefined): boolean {
    return this.guard.distrust.orderOfClear(pattern) !== undefined;
  }

  /** Does not read a key any more until it is trusted. @returns what to trust it with; nothing where it was distrusted already. */
  doubt(key: string): number | undefined {
    const { distrust } = this.guard;
    if (distrust.has(key)) return undefined;
    const order = distrust.begin();
    distrust.failed([key], order);
    return order;
  }

  /** Reads a key again, unless a later write of it has failed. @returns what comes before all later writes. */
  trust(key: string, order: number = this.guard.distrust.begin()): number {
    this.guard.distrust.succeeded([key], order);
    return order;
  }

  /**
   * Reads at once, without counting: only for a tier that {@linkcode TierReads.isInProcess}.
   *
   * @returns `"wait"` where the {@linkcode TierReads.get} that has to follow tells of a failure or mends one.
   */
  getNow(key: string): CacheEntry | undefined | "wait" {
    if (!this.guard.distrust.isEmpty && this.guard.distrust.has(key)) return "wait";
    try {
      return this.backend.getSync!(key) ?? undefined;
    } catch {
      return "wait";
    }
  }

  /**
   * Reads at once where the backend can, without counting. A failure is told
   * by the {@linkcode TierReads.get} that has to follow.
   */
  readNow(key: string): CacheEntry | undefined | "wait" {
    if (this.isInProcess) return this.getNow(key);
    const backend = this.backend;
    if (backend.readNow === undefined || !this.guard.distrust.isEmpty) return "wait";
    if (this.guard.isDown) return "wait";
    try {
      const entry = backend.readNow(key);
      if (entry !== "wait") this.guard.answeredNow();
      return entry === undefined || entry === "wait" || entry.key === key ? entry : "wait";
    } catch {
      return "wait";
    }
  }

  /** Counts what was read by {@linkcode TierReads.getNow} or {@linkcode TierReads.readNow}. */
  countHit(): void {
    this.counters.hits++;
  }

  /** Counts what was missed by {@linkcode TierReads.readNow}. */
  countMiss(): void {
    this.counters.misses++;
  }

  /** Reads without counting as a use; only memory can. */
  peek(key: string): CacheEntry | undefined {
    if (this.guard.distrust.has(key)) return undefined;
    try {
      return this.backend.peek?.(key) ?? undefined;
    } catch (error) {
      this.guard.failed("peek", key, error);
      return undefined;
    }
  }

  /** Reads one entry. Rejects only when the caller gives up. */
  async get(key: string, signal?: AbortSignal): Promise<CacheEntry | undefined> {
    if (this.guard.distrust.has(key)) return this.#mend(key);
    if (this.isInProcess) return this.#getSync(key);
    const entry = await this.guard.read(
      "read",
      key,
      (options) => this.backend.get(key, options),
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
    const backend = this.backend;
    if (this.isInProcess) {
      return keys.map((key) => this.guard.distrust.has(key) ? this.#mend(key) : this.#getSync(key));
    }
    if (backend.getMany === undefined) {
      return await mapLimited(keys, BATCH_CONCURRENCY, (key) => this.get(key, signal));
    }
    // What is mended while the read is under way may have been read before that.
    const trusted = keys.filter((key) => !this.guard.distrust.has(key));
    const entries = trusted.length === 0 ? [] : await this.guard.read<(CacheEntry | undefined)[]>(
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

  /** Reads records of the library itself, uncounted, also where older ones may stand. @returns `undefined` where the tier fails. */
  async readRecords(
    keys: readonly string[],
  ): Promise<readonly (CacheEntry | undefined)[] | undefined> {
    const { backend, guard } = this;
    return await guard.read<readonly (CacheEntry | undefined)[] | undefined>(
      "read",
      undefined,
      async (options) =>
        backend.getMany === undefined
          ? await Promise.all(keys.map((key) => backend.get(key, options)))
          : ofLength(backend, keys.length, await backend.getMany(keys, options), "entries"),
      undefined,
      undefined,
    );
  }

  /** Tells whether an entry is here. */
  async exists(key: string, signal?: AbortSignal): Promise<boolean> {
    if (this.guard.distrust.has(key)) return false;
    const isThere = await this.guard.read(
      "look up",
      key,
      (options) => this.backend.exists(key, options),
      signal,
      false,
    );
    return isThere && !this.guard.distrust.has(key);
  }

  /** Whether the backend can list its keys. */
  get listsKeys(): boolean {
    return this.backend.keys !== undefined;
  }

  /** Lists the keys that match a glob, without records of the library itself: only where it {@linkcode TierReads.listsKeys}. Fails as the backend does. */
  async *keys(pattern: string | undefined, signal?: AbortSignal): AsyncGenerator<string> {
    for await (const key of this.backend.keys!(pattern, { signal })) {
      signal?.throwIfAborted();
      if (!isReserved(key)) yield key;
    }
  }

  /** Takes a record that cannot be decoded out of the tier. */
  async discard(key: string, error: unknown, isCurrent: () => boolean): Promise<void> {
    this.counters.hits--;
    this.counters.misses++;
    if (isCacheError(error, "too-large")) return this.guard.failed("read", key, error);
    this.events.emit("corrupt", { tier: this.name, key, error });
    // What a later version wrote is not ours to remove.
    if (!isCacheError(error, "unsupported-format")) await this.remove(key, isCurrent);
  }

  protected async remove(key: string, isCurrent: () => boolean): Promise<void> {
    await this.guard.write(
      "delete",
      [key],
      (options) => this.backend.delete(key, options),
      undefined,
      isCurrent,
    );
  }

  #getSync(key: string): CacheEntry | undefined {
    try {
      const entry = this.backend.getSync!(key) ?? undefined;
      this.counters[entry === undefined ? "misses" : "hits"]++;
      return entry;
    } catch (error) {
      this.guard.failed("read", key, error);
      this.counters.misses++;
      return undefined;
    }
  }

  /** Counts what a backend answered, and lets only pass what was set for the very key. */
  #answered(key: string, entry: CacheEntry | null | undefined): CacheEntry | undefined {
    // A write may have failed while the read was under way.
    let found = this.guard.distrust.has(key) ? undefined : entry ?? undefined;
    if (found !== undefined && found.key !== key) {
      found = undefined;
      tellOtherKey(this.events, this.name, key);
    }
    this.counters[found === undefined ? "misses" : "hits"]++;
    return found;
  }

  /** A miss; removes what stands under the key meanwhile, one such try at a time. */
  #mend(key: string): undefined {
    this.counters.misses++;
    const { backend } = this;
    if (this.#mending || this.isDown) return;
    if (backend.deleteUpTo !== undefined) return this.#mendShared(key, backend);
    this.#mending = true;
    // A write that came first may have mended it by the time that it is this one's turn.
    this.remove(key, () => this.guard.distrust.has(key)).finally(() => this.#mending = false);
  }

  /** What others have written later than what was given up here stays: what waits is brought by recovery. */
  #mendShared(key: string, backend: CacheBackend): undefined {
    const { repairs } = this;
    // A mark of a tag is written again by whoever knows it, and could not be under a later delete.
    if (repairs?.has(key) || isReserved(key)) return;
    this.#mending = true;
    const version = repairs?.meantUpTo || this.#versions.next();
    this.guard.write(
      "delete",
      [key],
      (options) => backend.deleteUpTo!([key], version, options),
      undefined,
      () => this.guard.distrust.has(key) && !repairs?.has(key),
    ).then((outcome) => {
      if (typeof outcome === "number") repairs?.mended(key, version);
      else if (outcome === "failed") repairs?.mendLater(key, version);
    }).finally(() => this.#mending = false);
  }
}
