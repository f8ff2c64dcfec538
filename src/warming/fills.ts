import type { CacheEntry } from "../entry/entry.ts";
import type { VersionClock } from "../entry/version.ts";
import type { Placement } from "../eviction/eviction_policy.ts";
import { dropOutdated } from "../manager/drop_outdated.ts";
import type { Fences, Ticket } from "../manager/fences.ts";
import type { TagIndex } from "../manager/tag_index.ts";
import type { Tier } from "../manager/tier.ts";

/** What {@linkcode Fills} shares with the stack whose tiers it fills. */
export interface FillsParts {
  /** Fastest first. */
  readonly tiers: readonly Tier[];
  /** Keep late copies out. */
  readonly fences: Fences;
  /** Tell what was dropped. */
  readonly tags: TagIndex;
  /** Told of the versions read. */
  readonly versions: VersionClock;
  /** The most bytes that a compressed value may decode to. */
  readonly maxDecodedBytes: number;
}

/** How a fill is made. */
export interface FillOptions {
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
  /** Whether a tier takes copies. @default every one does */
  readonly takes?: ((tier: Tier) => boolean) | undefined;
  /** The place of the copies among a tier's entries. @default on probation */
  readonly placement?: Placement | undefined;
}

const ON_PROBATION: Placement = { probation: true };

/** What a fill did with its keys, each of which is in one of the lists. */
export interface FillOutcome {
  /** Were in the fastest tier already. */
  readonly held: string[];
  /** Are there now. */
  readonly filled: string[];
  /** Are in a slower tier, but were declined here, or a write came between. */
  readonly declined: string[];
  /** Are in no tier. */
  readonly absent: string[];
}

/**
 * Copies entries from slower tiers into faster ones, though nobody has asked
 * for them: it counts no hit and no miss of the cache. Fences and tags hold as
 * for a promotion by a read.
 */
export class Fills {
  readonly #parts: FillsParts;

  constructor(parts: FillsParts) {
    this.#parts = parts;
  }

  /** Fastest first. */
  get tiers(): readonly Tier[] {
    return this.#parts.tiers;
  }

  /** What the fastest tier has of a key, as far as is known at once. */
  peek(key: string): CacheEntry | undefined {
    const { tiers, tags } = this.#parts;
    const entry = tiers[0]!.peek(key);
    if (entry === undefined || entry.tags.length === 0) return entry;
    return tags.isDroppedAsKnown(entry) ? undefined : entry;
  }

  /** Whether the fastest tier has a key, as far as is known at once. */
  holds(key: string): boolean {
    return this.peek(key) !== undefined;
  }

  /**
   * Puts an entry of an earlier process into the fastest tier: only where that
   * is the only one, and nobody uses the cache yet.
   *
   * @returns whether it is there now; not when it cannot be decoded.
   */
  async admit(entry: CacheEntry): Promise<boolean> {
    const { tiers: [memory], tags, versions, maxDecodedBytes } = this.#parts;
    try {
      await entry.value(maxDecodedBytes);
    } catch {
      return false;
    }
    versions.observe(entry.version);
    await tags.prepare(entry);
    return await memory!.promote(entry, () => true) === "stored";
  }

  /** Fills in different keys, asking each tier once. Rejects only with the signal's reason. */
  async fill(
    keys: readonly string[],
    { signal, takes = () => true, placement = ON_PROBATION }: FillOptions = {},
  ): Promise<FillOutcome> {
    const { tiers, fences, versions } = this.#parts;
    const outcome: FillOutcome = { held: [], filled: [], declined: [], absent: [] };
    const missing = keys.filter((key) => !this.holds(key) || void outcome.held.push(key));
    const tickets = new Map(missing.map((key) => [key, fences.open(key)]));
    const copies: Promise<void>[] = [];
    try {
      const absent = await this.#find(missing, tickets, signal, (entry, place) => {
        const { key, version } = entry;
        if (place === 0) {
          outcome.held.push(key);
          return;
        }
        versions.observe(version);
        const into = tiers.slice(0, place).filter((tier, at) => at === 0 || takes(tier));
        copies.push(
          this.#copy(entry, into, tickets.get(key)!, placement).then((isThere) => {
            outcome[isThere ? "filled" : "declined"].push(key);
          }),
        );
      });
      outcome.absent.push(...absent);
      return outcome;
    } finally {
      await Promise.all(copies);
      for (const ticket of tickets.values()) ticket.close();
    }
  }

  /** Reads different keys and copies nothing. Rejects only with the signal's reason. */
  async read(keys: readonly string[], signal?: AbortSignal): Promise<Map<string, CacheEntry>> {
    const tickets = new Map(keys.map((key) => [key, this.#parts.fences.open(key)]));
    const found = new Map<string, CacheEntry>();
    try {
      for (const key of keys) {
        const entry = this.peek(key);
        if (entry !== undefined) found.set(key, entry);
      }
      const others = keys.filter((key) => !found.has(key));
      await this.#find(others, tickets, signal, (entry) => void found.set(entry.key, entry));
      return found;
    } finally {
      for (const ticket of tickets.values()) ticket.close();
    }
  }

  /** Hands over the entry of each key from the fastest tier that has it. @returns the keys that no tier has. */
  async #find(
    keys: readonly string[],
    tickets: ReadonlyMap<string, Ticket>,
    signal: AbortSignal | undefined,
    take: (entry: CacheEntry, place: number) => void,
  ): Promise<readonly string[]> {
    const { tiers } = this.#parts;
    let wanted = keys;
    for (const [place, tier] of tiers.entries()) {
      // What memory has is known without asking.
      if (tier.isInProcess && place === 0) continue;
      if (wanted.length === 0) break;
      const found = new Set<string>();
      for (const entry of await tier.getMany(wanted, signal)) {
        if (entry === undefined) continue;
        if (!await this.#isUsable(entry, tier, tickets.get(entry.key)!)) continue;
        found.add(entry.key);
        take(entry, place);
      }
      wanted = wanted.filter((key) => !found.has(key));
    }
    return wanted;
  }

  async #isUsable(entry: CacheEntry, tier: Tier, ticket: Ticket): Promise<boolean> {
    const { tags, maxDecodedBytes } = this.#parts;
    try {
      if (entry.tags.length > 0 && await tags.isDropped(entry)) return false;
      await entry.value(maxDecodedBytes);
      return true;
    } catch (error) {
      await tier.discard(entry.key, error, () => ticket.isUndisturbed);
      return false;
    }
  }

  /** @returns whether the fastest tier has it now. */
  async #copy(
    entry: CacheEntry,
    into: readonly Tier[],
    ticket: Ticket,
    placement: Placement,
  ): Promise<boolean> {
    const isCurrent = (): boolean => ticket.isUndisturbed;
    if (!isCurrent()) return false;
    const outcomes = await Promise.all(
      into.map((tier) => tier.promote(entry, isCurrent, placement)),
    );
    const isOutdated = await dropOutdated(into, entry, outcomes);
    return !isOutdated && outcomes[0] === "stored";
  }
}
