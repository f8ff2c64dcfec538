import type { CacheEntry } from "../entry/entry.ts";
import type { WriteFormat } from "../entry/content.ts";
import { SKEW_MS, type VersionClock } from "../entry/version.ts";
import type { Placement } from "../eviction/eviction_policy.ts";
import { testOf } from "../glob.ts";
import type { LoadLocks } from "../coordination/load_locks.ts";
import type { EventHub, TierOutcome } from "../observability/events.ts";
import type { CacheStats } from "../observability/stats.ts";
import type { Clock } from "../types.ts";
import { Background } from "./background.ts";
import { Coordination, type EndedChange } from "./coordination.ts";
import { dropOutdated } from "./drop_outdated.ts";
import { Fences } from "./fences.ts";
import { type CacheCounters, InstantReads } from "./instant_reads.ts";
import { type Aside, Lookups } from "./lookups.ts";
import { Preparation } from "./preparation.ts";
import type { StreamedMetadata } from "./stream_sink.ts";
import { Streams } from "./streams.ts";
import { Fills } from "../warming/fills.ts";
import { TagIndex } from "./tag_index.ts";
import type { Tier } from "./tier.ts";
import { TierMarks } from "./tier_marks.ts";
import type { TierStackParts } from "./tier_stack_parts.ts";
import { entryOf, type Write } from "./write.ts";

/**
 * The tiers in their order: reads go down until one has the key and promote it
 * up, writes go to all. Keys and tags are as the tiers know them.
 */
export class TierStack {
  readonly #tiers: readonly Tier[];
  /** The one source of time. */
  readonly clock: Clock;
  readonly #events: EventHub;
  readonly #format: WriteFormat;
  readonly #asksBackends: boolean;
  readonly #versions: VersionClock;
  readonly #background: Background;
  readonly #tags: TagIndex;
  /** Whether a tier needs the bytes of a value. */
  readonly #hasByteTiers: boolean;
  /** What fetches must not outlive. */
  readonly fences: Fences = new Fences();
  /** The reads that need no waiting. */
  readonly instant: InstantReads;
  /** What brings in entries that nobody has asked for yet. */
  readonly fills: Fills;
  /** What moves streams. */
  readonly streams: Streams;
  readonly #preparation: Preparation;
  readonly #lookups: Lookups;
  readonly #coordination: Coordination | undefined;
  readonly #counters: CacheCounters = { hits: 0, misses: 0, loads: 0, loadErrors: 0 };

  constructor(parts: TierStackParts) {
    const { tiers, clock, events, format } = parts;
    this.#tiers = tiers;
    this.clock = clock;
    this.#events = events;
    this.#format = format;
    this.#asksBackends = parts.asksBackends;
    this.#versions = parts.versions;
    this.#background = new Background((error) =>
      events.emit("tierError", { tier: "", operation: "background", key: undefined, error })
    );
    const byteTiers = tiers.filter((tier) => !tier.isInProcess);
    this.#hasByteTiers = byteTiers.length > 0;
    this.#tags = new TagIndex(
      clock,
      this.#hasByteTiers
        ? new TierMarks({
          // A faster tier of this process's own does not know what others have dropped.
          tiers: byteTiers.filter((tier) => tiers.indexOf(tier) >= parts.sharing.place),
          clock,
          format,
          versions: this.#versions,
          changed: (change) => this.#coordination?.changed(change),
        })
        : undefined,
    );
    this.#preparation = new Preparation(this.#hasByteTiers, this.#tags);
    const shared = {
      ...parts,
      fences: this.fences,
      tags: this.#tags,
      counters: this.#counters,
      background: this.#background,
    };
    const { bus, locks } = parts.sharing;
    const isCoordinated = this.#hasByteTiers || bus !== undefined || locks !== undefined;
    if (isCoordinated) this.#coordination = new Coordination(shared);
    this.instant = new InstantReads(shared);
    this.#lookups = new Lookups({ ...shared, instant: this.instant });
    this.fills = new Fills(shared);
    this.streams = new Streams({
      ...shared,
      set: (write, signal) => this.set(write, signal),
      wrote: ({ key, version }, outcomes) => {
        this.#coordination?.changed({ key, version, entry: undefined });
        return this.#wrote({ key, version }, outcomes);
      },
      overtaken: (keys) => this.#overtaken(keys),
    });
  }

  /** A version for what begins to be made now. */
  stamp(): number {
    return this.#versions.next();
  }

  /** As {@linkcode Lookups.get}. */
  get(key: string, signal?: AbortSignal, aside?: Aside): Promise<unknown> {
    return this.#lookups.get(key, signal, aside);
  }

  /** As {@linkcode Lookups.getMany}. */
  getMany(
    keys: readonly string[],
    signal?: AbortSignal,
    isAgain?: boolean,
  ): Promise<Map<string, unknown>> {
    return this.#lookups.getMany(keys, signal, isAgain);
  }

  /** As {@linkcode Lookups.exists}. */
  exists(key: string, signal?: AbortSignal): Promise<boolean> {
    return this.#lookups.exists(key, signal);
  }

  /**
   * Writes a value to every tier that admits it.
   *
   * @returns the entry written, and whether every tier that should hold it does.
   * @throws {TypeError} when the format cannot carry the value.
   */
  async set(
    write: Write,
    signal?: AbortSignal,
    placement?: Placement,
  ): Promise<{ entry: CacheEntry; stored: boolean }> {
    const entry = entryOf(write, this.clock.now(), this.#format);
    // What cannot be carried fails before anything is touched.
    const encoding = this.#preparation.encode([entry]);
    const ticket = this.fences.openWrite(entry.key);
    try {
      if (encoding.wait !== undefined || entry.tags.length > 0 || signal?.aborted) {
        await this.#preparation.finish([entry], encoding, signal);
      }
      if (!ticket.hand(entry.version)) {
        await this.#overtaken([entry.key]);
        return { entry, stored: true };
      }
      const ends = this.#tiers.map((tier) => tier.set(entry, signal, placement));
      const outcomes = await this.#ended([entry], ends);
      return { entry, stored: await this.#wrote(entry, outcomes) };
    } finally {
      ticket.close();
    }
  }

  /** Writes many values of different keys, asking each tier once. */
  async setMany(
    writes: readonly Write[],
    signal?: AbortSignal,
    placement?: Placement,
  ): Promise<{ entries: CacheEntry[]; stored: boolean }> {
    const now = this.clock.now();
    const entries = writes.map((write) => entryOf(write, now, this.#format));
    const encoding = this.#preparation.encode(entries);
    const tickets = entries.map((entry) => this.fences.openWrite(entry.key));
    try {
      await this.#preparation.finish(entries, encoding, signal);
      const handed: CacheEntry[] = [];
      const late: string[] = [];
      entries.forEach((entry, at) => {
        if (tickets[at]!.hand(entry.version)) handed.push(entry);
        else late.push(entry.key);
      });
      const [outcomes] = await Promise.all([
        this.#ended(handed, this.#tiers.map((tier) => tier.setMany(handed, signal, placement))),
        this.#overtaken(late),
      ]);
      const stored = await Promise.all(
        handed.map((entry, at) => this.#wrote(entry, outcomes.map((ofTier) => ofTier[at]!))),
      );
      return { entries, stored: stored.every(Boolean) };
    } finally {
      for (const ticket of tickets) ticket.close();
    }
  }

  /** Removes a key from every tier. */
  async delete(key: string, signal?: AbortSignal): Promise<boolean> {
    const ticket = this.fences.openWrite(key);
    ticket.hand();
    const version = this.#versions.next(SKEW_MS);
    try {
      const ends = this.#tiers.map((tier) => tier.delete(key, version, signal));
      const removed = await this.#ended([{ key, version }], ends);
      if (this.#events.has("delete")) this.#events.emit("delete", { key });
      return removed.includes(true);
    } finally {
      ticket.close();
    }
  }

  /** Removes many different keys, asking each tier once. @returns the most that a tier had. */
  async deleteMany(keys: readonly string[], signal?: AbortSignal): Promise<number> {
    const tickets = keys.map((key) => this.fences.openWrite(key));
    for (const ticket of tickets) ticket.hand();
    const version = this.#versions.next(SKEW_MS);
    try {
      const ends = this.#tiers.map((tier) => tier.deleteMany(keys, version, signal));
      const removed = await this.#ended(keys.map((key) => ({ key, version })), ends);
      if (this.#events.has("delete")) {
        for (const key of keys) this.#events.emit("delete", { key });
      }
      return Math.max(...removed);
    } finally {
      for (const ticket of tickets) ticket.close();
    }
  }

  /** Removes what matches from every tier. @returns the most that a tier had. */
  async clear(pattern: string | undefined, signal?: AbortSignal): Promise<number> {
    const matches = testOf(pattern);
    const version = this.#versions.next(SKEW_MS);
    // Together, so that what is later by its version is so in the order of each tier.
    const orders = this.#tiers.map((tier) => tier.beginClear());
    const noting = this.#coordination?.clearing(pattern, version);
    const isNoted = noting === undefined || await noting;
    const end = this.fences.openClear(matches);
    this.#tags.cleared(matches);
    try {
      const removed = await Promise.all(
        this.#tiers.map((tier, at) => tier.clear(pattern, signal, orders[at])),
      );
      const most = Math.max(...removed);
      this.#events.emit("clear", { pattern, removed: most });
      return most;
    } finally {
      this.#coordination?.cleared(pattern, version, isNoted);
      end();
    }
  }

  /** Drops every entry of a tag that is as old as this call. */
  async deleteByTag(tag: string): Promise<void> {
    this.fences.watcher?.tagDropped(tag);
    await this.#tags.drop(tag, this.#versions.next(SKEW_MS));
  }

  /** Whether one of some tags was dropped after a version. */
  wasDroppedSince(tags: readonly string[], version: number): boolean {
    return this.#tags.wasDroppedSince(tags, version);
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

  /** Tells that a value was given that is fresh no more. */
  servedStale(key: string, error: unknown): void {
    if (this.#events.has("stale")) this.#events.emit("stale", { key, error });
  }

  /** What lets one process load a key; `undefined` where each loads for itself. */
  get loadLocks(): LoadLocks | undefined {
    return this.#coordination?.loadLocks;
  }

  /** What was done, and what the tiers hold. */
  async getStats(): Promise<CacheStats> {
    const { hits, misses } = this.#counters;
    const { prefetcher } = this.instant;
    return {
      ...this.#counters,
      ...this.streams.counts,
      ...this.#coordination && { coordination: this.#coordination.stats },
      hitRatio: hits + misses === 0 ? 0 : hits / (hits + misses),
      tiers: await Promise.all(this.#tiers.map((tier) => tier.getStats(this.#asksBackends))),
      ...(prefetcher && { prefetch: prefetcher.getStats() }),
    };
  }

  /** Resolves when everything acknowledged so far is durable. */
  async flush(): Promise<void> {
    await this.#background.idle();
    await this.#coordination?.idle();
    await Promise.all(this.#tiers.map((tier) => tier.flush()));
  }

  /** Drains and closes every tier, also when one of them fails. */
  async close(): Promise<void> {
    this.instant.close();
    await this.instant.prefetcher?.close();
    await this.streams.close();
    await this.#background.idle();
    await this.#coordination?.close();
    const ends = await Promise.allSettled(this.#tiers.map((tier) => tier.close()));
    const failed = ends.find((end) => end.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  #ended<T>(changes: readonly EndedChange[], ends: readonly Promise<T>[]): Promise<T[]> {
    return this.#coordination?.ended(changes, ends) ?? Promise.all(ends);
  }

  /** Waits until what was written to some keys later has come to every tier: it has the last word. */
  async #overtaken(keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await Promise.all(this.#tiers.map((tier) => tier.settled(keys)));
  }

  async #wrote(
    entry: Pick<StreamedMetadata, "key" | "version">,
    outcomes: readonly TierOutcome["outcome"][],
  ): Promise<boolean> {
    if (this.#events.has("write")) {
      this.#events.emit("write", {
        key: entry.key,
        outcomes: this.#tiers.map(({ name }, at) => ({ tier: name, outcome: outcomes[at]! })),
      });
    }
    if (await dropOutdated(this.#tiers, entry, outcomes)) return !outcomes.includes("failed");
    // A tier that declines should not hold it; one at least must.
    return !outcomes.includes("failed") && outcomes.includes("stored");
  }
}
