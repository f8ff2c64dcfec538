import { copyBinary, isBinary } from "../entry/dtype.ts";
import { CacheEntry } from "../entry/entry.ts";
import type { WriteFormat } from "../entry/content.ts";
import { VersionClock } from "../entry/version.ts";
import { compileGlob } from "../glob.ts";
import type { EventHub, TierOutcome } from "../observability/events.ts";
import type { CacheStats } from "../observability/stats.ts";
import type { Clock } from "../types.ts";
import { Background } from "./background.ts";
import { Fences, type Ticket } from "./fences.ts";
import { TagIndex } from "./tag_index.ts";
import type { Tier } from "./tier.ts";

/** What a stack is made of. */
export interface TierStackParts {
  /** Fastest first. */
  readonly tiers: readonly Tier[];
  /** The one source of time. */
  readonly clock: Clock;
  /** Takes what happens. */
  readonly events: EventHub;
  /** How values are written. */
  readonly format: WriteFormat;
  /** The most bytes that a compressed value may decode to. */
  readonly maxDecodedBytes: number;
  /** Whether statistics ask the backends what they hold. */
  readonly asksBackends: boolean;
}

/** One value to be written. */
export interface Write {
  /** As the tiers know it. */
  readonly key: string;
  /** Anything but `undefined`. */
  readonly value: unknown;
  /** How long it lives, in milliseconds. */
  readonly ttl: number;
  /** As the tiers know them. */
  readonly tags: readonly string[];
  /** When what is written was begun to be made; a stamp of {@linkcode TierStack.stamp}. */
  readonly version: number;
}

/**
 * The tiers in their order: reads go down until one has the key and promote it
 * up, writes go to all. Keys and tags are as the tiers know them.
 */
export class TierStack {
  readonly #tiers: readonly Tier[];
  readonly #clock: Clock;
  readonly #events: EventHub;
  readonly #format: WriteFormat;
  readonly #maxDecodedBytes: number;
  readonly #asksBackends: boolean;
  readonly #versions: VersionClock;
  readonly #background: Background;
  readonly #tags: TagIndex;
  /** The tiers that need the bytes of a value. */
  readonly #byteTiers: readonly Tier[];
  /** The first tier's backend, where that answers at once. */
  #memory: Tier["inProcess"];
  /** What fetches must not outlive. */
  readonly fences: Fences = new Fences();
  readonly #counters = { hits: 0, misses: 0, loads: 0, loadErrors: 0 };

  constructor(parts: TierStackParts) {
    const { tiers, clock, events, format } = parts;
    this.#tiers = tiers;
    this.#clock = clock;
    this.#events = events;
    this.#format = format;
    this.#maxDecodedBytes = parts.maxDecodedBytes;
    this.#asksBackends = parts.asksBackends;
    this.#versions = new VersionClock(clock);
    this.#background = new Background((error) =>
      events.emit("tierError", { tier: "", operation: "background", key: undefined, error })
    );
    this.#byteTiers = tiers.filter((tier) => tier.inProcess === undefined);
    this.#memory = tiers[0]?.inProcess;
    this.#tags = new TagIndex(
      clock,
      this.#byteTiers.length === 0 ? undefined : {
        read: (key) => this.#readMark(key),
        write: (key, version) => this.#writeMark(key, version),
      },
    );
  }

  /** A version for what begins to be made now. */
  stamp(): number {
    return this.#versions.next();
  }

  /** Reads from the first tier if that is in memory, at once. */
  getFast(key: string): CacheEntry | undefined {
    const entry = this.#memory?.getSync(key);
    if (entry === undefined) return undefined;
    if (entry.tags.length > 0 && this.#tags.isDroppedSync(entry) !== false) return undefined;
    this.#counters.hits++;
    this.#tiers[0]!.countHit();
    if (this.#events.has("hit")) this.#events.emit("hit", { key, tier: this.#tiers[0]!.name });
    return entry;
  }

  /** Reads from memory without counting as a use. */
  peek(key: string): unknown {
    const entry = this.#tiers[0]!.peek(key);
    if (entry === undefined || !entry.isLive) return undefined;
    return entry.tags.length > 0 && this.#tags.isDroppedSync(entry) === true
      ? undefined
      : entry.value();
  }

  /** Reads a value. Rejects only when the caller gives up. */
  async get(key: string, signal?: AbortSignal): Promise<unknown> {
    const ticket = this.fences.open(key);
    let promotions: Promise<unknown> | undefined;
    try {
      const missed: Tier[] = [];
      for (const tier of this.#tiers) {
        const entry = await tier.get(key, signal);
        const value = entry && await this.#valueOf(entry, tier, ticket);
        if (value !== undefined) {
          promotions = this.#promote(entry!, tier, missed, ticket);
          return this.#hit(key, tier, value);
        }
        missed.push(tier);
      }
      return this.#miss(key);
    } finally {
      if (promotions === undefined) ticket.close();
      else this.#background.run(promotions.finally(() => ticket.close()));
    }
  }

  /** Reads many different keys, asking each tier once. @returns what was found. */
  async getMany(keys: readonly string[], signal?: AbortSignal): Promise<Map<string, unknown>> {
    const found = new Map<string, unknown>();
    const tickets = new Map(keys.map((key) => [key, this.fences.open(key)]));
    const promotions: Promise<unknown>[] = [];
    try {
      const missed: Tier[] = [];
      let wanted = keys;
      for (const tier of this.#tiers) {
        if (wanted.length === 0) break;
        const entries = await tier.getMany(wanted, signal);
        for (const entry of entries) {
          if (entry === undefined) continue;
          const ticket = tickets.get(entry.key)!;
          const value = await this.#valueOf(entry, tier, ticket);
          if (value === undefined) continue;
          found.set(entry.key, this.#hit(entry.key, tier, value));
          const promotion = this.#promote(entry, tier, missed, ticket);
          if (promotion !== undefined) promotions.push(promotion);
        }
        wanted = wanted.filter((key) => !found.has(key));
        missed.push(tier);
      }
      for (const key of wanted) this.#miss(key);
      return found;
    } finally {
      const close = (): void => tickets.forEach((ticket) => ticket.close());
      if (promotions.length === 0) close();
      else this.#background.run(Promise.all(promotions).finally(close));
    }
  }

  /** Tells whether a tier holds a key. */
  async exists(key: string, signal?: AbortSignal): Promise<boolean> {
    for (const tier of this.#tiers) {
      if (await tier.exists(key, signal)) return true;
    }
    return false;
  }

  /**
   * Writes a value to every tier that admits it.
   *
   * @returns the entry written, and whether every tier that should hold it does.
   * @throws {TypeError} when the format cannot carry the value.
   */
  async set(write: Write, signal?: AbortSignal): Promise<{ entry: CacheEntry; stored: boolean }> {
    const entry = this.#entryOf(write);
    this.fences.cut(entry.key);
    const ticket = this.fences.open(entry.key);
    try {
      await this.#prepare(entry);
      // Whoever wrote or deleted the key meanwhile came later, and has the last word.
      if (!ticket.isValid) return { entry, stored: true };
      const outcomes = await Promise.all(this.#tiers.map((tier) => tier.set(entry, signal)));
      return { entry, stored: this.#wrote(entry, outcomes) };
    } finally {
      ticket.close();
    }
  }

  /** Writes many values of different keys, asking each tier once. */
  async setMany(
    writes: readonly Write[],
    signal?: AbortSignal,
  ): Promise<{ entries: CacheEntry[]; stored: boolean }> {
    const entries = writes.map((write) => this.#entryOf(write));
    const tickets = new Map<CacheEntry, Ticket>();
    for (const entry of entries) {
      this.fences.cut(entry.key);
      tickets.set(entry, this.fences.open(entry.key));
    }
    try {
      for (const entry of entries) await this.#prepare(entry);
      const current = entries.filter((entry) => tickets.get(entry)!.isValid);
      const outcomes = await Promise.all(
        this.#tiers.map((tier) => tier.setMany(current, signal)),
      );
      const stored = current.map((entry, at) =>
        this.#wrote(entry, outcomes.map((ofTier) => ofTier[at]!))
      );
      return { entries, stored: stored.every(Boolean) };
    } finally {
      tickets.forEach((ticket) => ticket.close());
    }
  }

  /** Removes a key from every tier. */
  async delete(key: string, signal?: AbortSignal): Promise<boolean> {
    this.fences.cut(key);
    const removed = await Promise.all(this.#tiers.map((tier) => tier.delete(key, signal)));
    if (this.#events.has("delete")) this.#events.emit("delete", { key });
    return removed.includes(true);
  }

  /** Removes many different keys, asking each tier once. @returns the most that a tier had. */
  async deleteMany(keys: readonly string[], signal?: AbortSignal): Promise<number> {
    for (const key of keys) this.fences.cut(key);
    const removed = await Promise.all(this.#tiers.map((tier) => tier.deleteMany(keys, signal)));
    if (this.#events.has("delete")) {
      for (const key of keys) {
        this.#events.emit("delete", { key });
      }
    }
    return Math.max(...removed);
  }

  /** Removes what matches from every tier. @returns the most that a tier had. */
  async clear(pattern: string | undefined, signal?: AbortSignal): Promise<number> {
    const matches = pattern === undefined ? () => true : compileGlob(pattern);
    this.fences.cutMatching(matches);
    const removed = await Promise.all(this.#tiers.map((tier) => tier.clear(pattern, signal)));
    const most = Math.max(...removed);
    this.#events.emit("clear", { pattern, removed: most });
    return most;
  }

  /** Drops every entry of a tag that is as old as this call. */
  async deleteByTag(tag: string): Promise<void> {
    await this.#tags.drop(tag, this.stamp());
  }

  /** Counts a loader's call and tells of it. */
  loaded(key: string, error?: { readonly reason: unknown }): void {
    if (error === undefined) {
      this.#counters.loads++;
      this.#events.emit("load", { key });
    } else {
      this.#counters.loadErrors++;
      this.#events.emit("loadError", { key, error: error.reason });
    }
  }

  /** What was done, and what the tiers hold. */
  async getStats(): Promise<CacheStats> {
    const { hits, misses } = this.#counters;
    return {
      ...this.#counters,
      hitRatio: hits + misses === 0 ? 0 : hits / (hits + misses),
      tiers: await Promise.all(this.#tiers.map((tier) => tier.getStats(this.#asksBackends))),
    };
  }

  /** Resolves when everything acknowledged so far is durable. */
  async flush(): Promise<void> {
    await this.#background.idle();
    await Promise.all(this.#tiers.map((tier) => tier.flush()));
  }

  /** Drains and closes every tier, also when one of them fails. */
  async close(): Promise<void> {
    this.#memory = undefined;
    await this.#background.idle();
    const ends = await Promise.allSettled(this.#tiers.map((tier) => tier.close()));
    const failed = ends.find((end) => end.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  #entryOf({ key, value, ttl, tags, version }: Write): CacheEntry {
    assertStorable(value);
    const createdAt = this.#clock.now();
    const expiresAt = createdAt + ttl;
    // Binary values are copied: callers reuse buffers, and a small view would keep a large one alive.
    return CacheEntry.of(
      key,
      isBinary(value) ? copyBinary(value) : value,
      { createdAt, expiresAt, staleUntil: expiresAt, version, tags },
      this.#format,
    );
  }

  /** Fails for what cannot be carried, before any tier holds it, and takes the bytes before the caller can change the value. */
  #prepare(entry: CacheEntry): Promise<void> | void {
    const encoded = this.#byteTiers.length > 0 ? entry.prepare() : undefined;
    if (entry.tags.length === 0) return encoded;
    return Promise.resolve(encoded).then(() => this.#tags.prepare(entry));
  }

  #wrote(entry: CacheEntry, outcomes: readonly TierOutcome["outcome"][]): boolean {
    if (this.#events.has("write")) {
      this.#events.emit("write", {
        key: entry.key,
        outcomes: this.#tiers.map(({ name }, at) => ({ tier: name, outcome: outcomes[at]! })),
      });
    }
    // A tier that declines should not hold it; one at least must.
    return !outcomes.includes("failed") && outcomes.includes("stored");
  }

  async #valueOf(entry: CacheEntry, tier: Tier, ticket: Ticket): Promise<unknown> {
    if (entry.tags.length > 0 && await this.#tags.isDropped(entry)) return undefined;
    if (entry.isLive) return entry.value();
    try {
      return await entry.value(this.#maxDecodedBytes);
    } catch (error) {
      this.#background.run(tier.discard(entry.key, error, () => ticket.isValid));
      return undefined;
    }
  }

  /** Copies an entry into faster tiers: into memory at once, into others in the background. */
  #promote(
    entry: CacheEntry,
    from: Tier,
    missed: readonly Tier[],
    ticket: Ticket,
  ): Promise<unknown> | undefined {
    const isCurrent = (): boolean => ticket.isValid;
    const copies = missed.map(async (to) => {
      if (await to.promote(entry, isCurrent) && this.#events.has("promotion")) {
        this.#events.emit("promotion", { key: entry.key, from: from.name, to: to.name });
      }
    });
    return copies.length === 0 ? undefined : Promise.all(copies);
  }

  #hit(key: string, tier: Tier, value: unknown): unknown {
    this.#counters.hits++;
    if (this.#events.has("hit")) this.#events.emit("hit", { key, tier: tier.name });
    return value;
  }

  #miss(key: string): undefined {
    this.#counters.misses++;
    if (this.#events.has("miss")) this.#events.emit("miss", { key });
  }

  async #readMark(key: string): Promise<number | undefined> {
    const ticket = this.fences.open(key);
    try {
      for (const tier of this.#byteTiers) {
        const entry = await tier.get(key);
        const version = entry && await this.#valueOf(entry, tier, ticket);
        if (typeof version === "number") {
          this.#versions.observe(version);
          return version;
        }
      }
      return undefined;
    } finally {
      ticket.close();
    }
  }

  async #writeMark(key: string, version: number): Promise<void> {
    const mark = this.#entryOf({ key, value: version, ttl: Infinity, tags: [], version });
    await Promise.all(this.#byteTiers.map((tier) => tier.set(mark)));
  }
}

/** Refuses what no format carries, also where memory is the only tier. */
function assertStorable(value: unknown): void {
  const reason = value === undefined
    ? "value is undefined, which means a miss: store null instead"
    : typeof value === "function" || typeof value === "symbol"
    ? `value is a ${typeof value}`
    : typeof (value as { then?: unknown } | null)?.then === "function"
    ? "value is a promise: await it first"
    : undefined;
  if (reason !== undefined) throw new TypeError(`Cannot set: ${reason}`);
}
