import type { CacheEntry } from "../entry/entry.ts";
import type { VersionClock } from "../entry/version.ts";
import type { EventHub } from "../observability/events.ts";
import type { Prefetcher } from "../warming/prefetcher.ts";
import type { Fences } from "./fences.ts";
import { InstantWrites, type InstantWritesParts } from "./instant_writes.ts";
import type { TagIndex } from "./tag_index.ts";
import type { Tier } from "./tier.ts";

/** Says that what was asked for at once has to be waited for. */
export const WAIT: unique symbol = Symbol("wait");

/** The counts of a cache, in the making. */
export interface CacheCounters {
  hits: number;
  misses: number;
  loads: number;
  loadErrors: number;
}

/** What {@linkcode InstantReads} shares with the stack whose tiers it reads. */
export interface InstantReadsParts extends InstantWritesParts {
  /** Tell what was dropped. */
  readonly tags: TagIndex;
  /** Told of the versions read from tiers that may be shared. */
  readonly versions: VersionClock;
  /** Count hits. */
  readonly counters: CacheCounters;
  /** The most bytes that a compressed value may decode to. */
  readonly maxDecodedBytes: number;
}

/**
 * The reads that need no waiting: of memory, and of stores that can answer at
 * once. They never tell a miss: only a read that waits knows one.
 */
export class InstantReads {
  readonly #tiers: readonly Tier[];
  readonly #fences: Fences;
  readonly #tags: TagIndex;
  readonly #events: EventHub;
  readonly #versions: VersionClock;
  readonly #counters: CacheCounters;
  readonly #maxDecodedBytes: number;
  /** The writes that need no waiting either. */
  readonly writes: InstantWrites;
  /** Told of what memory has and has not; `undefined` where nothing is fetched ahead. */
  prefetcher: Prefetcher | undefined;
  /** The first tier, where that is in memory and the cache is open. */
  #memory: Tier | undefined;
  #isClosed = false;

  constructor(parts: InstantReadsParts) {
    this.writes = new InstantWrites(parts);
    this.#tiers = parts.tiers;
    this.#fences = parts.fences;
    this.#tags = parts.tags;
    this.#events = parts.events;
    this.#versions = parts.versions;
    this.#counters = parts.counters;
    this.#maxDecodedBytes = parts.maxDecodedBytes;
    this.#memory = parts.tiers[0]?.isInProcess ? parts.tiers[0] : undefined;
  }

  /**
   * Reads a value from memory, or from the tiers beneath as far down as they
   * answer at once: a disk hit without a promise for each tier on the way.
   *
   * @returns the value, or {@linkcode WAIT} when a read that waits has to be made; never a miss.
   */
  get(key: string): unknown {
    const memory = this.#memory;
    if (memory === undefined) return this.#getFrom(0, key);
    const entry = memory.getNow(key);
    return entry === undefined ? this.#getFrom(1, key) : this.#takeFromMemory(memory, key, entry);
  }

  /**
   * Reads what memory has of different keys.
   *
   * @param found takes the values.
   * @returns the keys for which a read that waits has to be made.
   */
  getMany(keys: readonly string[], found: Map<string, unknown>): readonly string[] {
    const memory = this.#memory;
    if (memory === undefined) return keys;
    const missing: string[] = [];
    for (const key of keys) {
      const entry = memory.getNow(key);
      const value = entry === undefined ? WAIT : this.#takeFromMemory(memory, key, entry);
      if (value === WAIT) missing.push(key);
      else found.set(key, value);
    }
    return missing;
  }

  /** Reads from memory without counting as a use. */
  peek(key: string): unknown {
    const entry = this.#tiers[0]!.peek(key);
    if (entry === undefined || !entry.isLive) return undefined;
    return entry.tags.length > 0 && this.#tags.isDroppedAsKnown(entry) ? undefined : entry.value();
  }

  /** Finds nothing any more. */
  close(): void {
    this.#memory = undefined;
    this.#isClosed = true;
  }

  #takeFromMemory(memory: Tier, key: string, entry: CacheEntry | "wait"): unknown {
    if (entry === "wait" || !entry.isLive) return WAIT;
    if (entry.tags.length > 0 && this.#tags.isDroppedSync(entry) !== false) return WAIT;
    this.#hit(key, memory);
    if (this.prefetcher !== undefined) this.prefetcher.hit(key);
    return entry.value();
  }

  #getFrom(place: number, key: string): unknown {
    if (this.#isClosed) return WAIT;
    for (let at = place; at < this.#tiers.length; at++) {
      const entry = this.#tiers[at]!.readNow(key);
      if (entry === undefined) continue;
      return entry === "wait" || entry.tags.length > 0 ? WAIT : this.#takeNow(entry, at);
    }
    return WAIT;
  }

  /** Takes what the tier at a place gave at once, and copies it into the faster ones if that can be done at once. */
  #takeNow(entry: CacheEntry, place: number): unknown {
    let value: unknown;
    try {
      value = entry.value(this.#maxDecodedBytes);
    } catch {
      return WAIT;
    }
    if (value === undefined || value instanceof Promise) return WAIT;
    const { key, version } = entry;
    for (let at = 0; at < place; at++) {
      if (!this.#tiers[at]!.isInProcess) return WAIT;
    }
    this.#versions.observe(version);
    const isQuiet = this.#fences.isQuiet(key);
    for (let at = 0; at < place; at++) {
      const tier = this.#tiers[at]!;
      tier.countMiss();
      if (!isQuiet) continue;
      tier.promoteNow(entry);
      if (this.#events.has("promotion")) {
        this.#events.emit("promotion", { key, from: this.#tiers[place]!.name, to: tier.name });
      }
    }
    this.#hit(key, this.#tiers[place]!);
    if (place > 0) this.prefetcher?.missed([key]);
    return value;
  }

  #hit(key: string, tier: Tier): void {
    this.#counters.hits++;
    tier.countHit();
    if (this.#events.has("hit")) this.#events.emit("hit", { key, tier: tier.name });
  }
}
