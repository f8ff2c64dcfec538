import type { CacheEntry } from "../entry/entry.ts";
import type { VersionClock } from "../entry/version.ts";
import type { EventHub } from "../observability/events.ts";
import type { MaybePromise } from "../maybe_promise.ts";
import type { Background } from "./background.ts";
import { type Fences, SharedTicket } from "./fences.ts";
import type { CacheCounters, InstantReads } from "./instant_reads.ts";
import { promote } from "./promotion.ts";
import type { TagIndex } from "./tag_index.ts";
import type { Tier } from "./tier.ts";

/** What {@linkcode Lookups} shares with the stack whose tiers it reads. */
export interface LookupsParts {
  /** Fastest first. */
  readonly tiers: readonly Tier[];
  /** Keep late copies out. */
  readonly fences: Fences;
  /** Tell what was dropped. */
  readonly tags: TagIndex;
  /** Takes what happens. */
  readonly events: EventHub;
  /** Told of the versions read from tiers that may be shared. */
  readonly versions: VersionClock;
  /** Count hits and misses. */
  readonly counters: CacheCounters;
  /** Makes copies. */
  readonly background: Background;
  /** Read memory, and know who is told of what memory has not. */
  readonly instant: InstantReads;
  /** The most bytes that a compressed value may decode to. */
  readonly maxDecodedBytes: number;
}

/** What a read has seen besides a fresh value. */
export interface Aside {
  /** A value that is fresh no more and may be served stale, from the first tier that has one. */
  stale: unknown;
  /** When the value that was found was set, epoch milliseconds. */
  createdAt: number;
}

/** The reads that wait: they go down the tiers until one has the key, and promote it up. */
export class Lookups {
  readonly #parts: LookupsParts;

  constructor(parts: LookupsParts) {
    this.#parts = parts;
  }

  /** Reads a value. Rejects only when the caller gives up. */
  async get(key: string, signal?: AbortSignal, aside?: Aside): Promise<unknown> {
    const { tiers, fences, instant, versions } = this.#parts;
    const ticket = new SharedTicket(fences.open(key));
    try {
      const missed: Tier[] = [];
      for (const tier of tiers) {
        const entry = await tier.get(key, signal);
        if (entry !== undefined && !tier.isInProcess) versions.observe(entry.version);
        const read = entry && this.#valueOf(entry, tier, ticket, aside);
        const value = read instanceof Promise ? await read : read;
        if (value !== undefined) {
          if (aside !== undefined) aside.createdAt = entry!.createdAt;
          this.#promote(entry!, tier, missed, ticket);
          return this.#hit(key, tier, value);
        }
        if (missed.push(tier) === 1) instant.prefetcher?.missed([key]);
      }
      return this.#miss(key);
    } finally {
      ticket.leave();
    }
  }

  /**
   * Reads many different keys, asking each tier once.
   *
   * @param isAgain whether they have counted as missed before.
   * @returns what was found.
   */
  async getMany(
    keys: readonly string[],
    signal?: AbortSignal,
    isAgain = false,
  ): Promise<Map<string, unknown>> {
    const { tiers, fences, instant, versions } = this.#parts;
    const found = new Map<string, unknown>();
    let wanted = instant.getMany(keys, found);
    if (wanted.length === 0) return found;
    const tickets = new Map(wanted.map((key) => [key, new SharedTicket(fences.open(key))]));
    try {
      const missed: Tier[] = [];
      for (const tier of tiers) {
        if (wanted.length === 0) break;
        const entries = await tier.getMany(wanted, signal);
        for (const entry of entries) {
          if (entry === undefined) continue;
          if (!tier.isInProcess) versions.observe(entry.version);
          const ticket = tickets.get(entry.key)!;
          const read = this.#valueOf(entry, tier, ticket);
          const value = read instanceof Promise ? await read : read;
          if (value === undefined) continue;
          found.set(entry.key, this.#hit(entry.key, tier, value));
          this.#promote(entry, tier, missed, ticket);
        }
        wanted = wanted.filter((key) => !found.has(key));
        if (missed.push(tier) === 1 && !isAgain) instant.prefetcher?.missed(wanted);
      }
      if (!isAgain) {
        for (const key of wanted) this.#miss(key);
      }
      return found;
    } finally {
      for (const ticket of tickets.values()) ticket.leave();
    }
  }

  /** Tells whether a tier holds a key. */
  async exists(key: string, signal?: AbortSignal): Promise<boolean> {
    for (const tier of this.#parts.tiers) {
      if (await tier.exists(key, signal)) return true;
    }
    return false;
  }

  /** Decodes what a tier gave, at once where that can be; what cannot be decoded is a miss and goes. */
  #valueOf(
    entry: CacheEntry,
    tier: Tier,
    ticket: SharedTicket,
    aside?: Aside,
  ): MaybePromise<unknown> {
    try {
      if (entry.tags.length > 0) return this.#taggedValueOf(entry, tier, ticket, aside);
      const value = entry.isLive ? entry.value() : entry.value(this.#parts.maxDecodedBytes);
      return value instanceof Promise
        ? value.catch((error) => this.#discard(entry, tier, ticket, error))
        : value;
    } catch (error) {
      return this.#discard(entry, tier, ticket, error);
    }
  }

  async #taggedValueOf(
    entry: CacheEntry,
    tier: Tier,
    ticket: SharedTicket,
    aside: Aside | undefined,
  ): Promise<unknown> {
    const { tags, maxDecodedBytes } = this.#parts;
    try {
      if (await tags.isDropped(entry)) {
        if (
          aside !== undefined && aside.stale === undefined && !await tags.isDropped(entry, true)
        ) {
          aside.stale = await entry.value(maxDecodedBytes);
        }
        return undefined;
      }
      return entry.isLive ? entry.value() : await entry.value(maxDecodedBytes);
    } catch (error) {
      return this.#discard(entry, tier, ticket, error);
    }
  }

  #discard(entry: CacheEntry, tier: Tier, ticket: SharedTicket, error: unknown): undefined {
    const isCurrent = (): boolean => ticket.ticket.isUndisturbed;
    this.#parts.background.run(ticket.during(tier.discard(entry.key, error, isCurrent)));
  }

  #promote(entry: CacheEntry, from: Tier, missed: readonly Tier[], ticket: SharedTicket): void {
    const { events, background } = this.#parts;
    const promotions = promote(events, entry, from, missed, ticket.ticket);
    if (promotions !== undefined) background.run(ticket.during(promotions));
  }

  #hit(key: string, tier: Tier, value: unknown): unknown {
    const { counters, instant, events } = this.#parts;
    counters.hits++;
    instant.prefetcher?.hit(key);
    if (events.has("hit")) events.emit("hit", { key, tier: tier.name });
    return value;
  }

  #miss(key: string): undefined {
    const { counters, events } = this.#parts;
    counters.misses++;
    if (events.has("miss")) events.emit("miss", { key });
  }
}
