import type { CacheEntry } from "../entry/entry.ts";
import type { VersionClock } from "../entry/version.ts";
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
 * for them: it counts no hit and no miss. Fences and tags hold as for a
 * promotion by a read.
 */
export class Fills {
  readonly #parts: FillsParts;

  constructor(parts: FillsParts) {
    this.#parts = parts;
  }

  /** Whether the fastest tier has a key, as far as is known at once. */
  holds(key: string): boolean {
    const { tiers, tags } = this.#parts;
    const entry = tiers[0]!.peek(key);
    return entry !== undefined && !(entry.tags.length > 0 && tags.isDroppedAsKnown(entry));
  }

  /** Fills in different keys, asking each tier once. Rejects only with the signal's reason. */
  async fill(keys: readonly string[], signal?: AbortSignal): Promise<FillOutcome> {
    const { tiers, fences, versions } = this.#parts;
    const outcome: FillOutcome = { held: [], filled: [], declined: [], absent: [] };
    const missing = keys.filter((key) => !this.holds(key) || void outcome.held.push(key));
    const tickets = new Map(missing.map((key) => [key, fences.open(key)]));
    try {
      let wanted: readonly string[] = missing;
      for (let place = 1; place < tiers.length && wanted.length > 0; place++) {
        const tier = tiers[place]!;
        const found = new Set<string>();
        const copies: Promise<void>[] = [];
        for (const entry of await tier.getMany(wanted, signal)) {
          if (entry === undefined) continue;
          const { key } = entry;
          const ticket = tickets.get(key)!;
          versions.observe(entry.version);
          if (!await this.#isUsable(entry, tier, ticket)) continue;
          found.add(key);
          copies.push(
            this.#copy(entry, tiers.slice(0, place), ticket).then((isThere) => {
              outcome[isThere ? "filled" : "declined"].push(key);
            }),
          );
        }
        await Promise.all(copies);
        wanted = wanted.filter((key) => !found.has(key));
      }
      outcome.absent.push(...wanted);
      return outcome;
    } finally {
      for (const ticket of tickets.values()) ticket.close();
    }
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
  ): Promise<boolean> {
    const isCurrent = (): boolean => ticket.isUndisturbed;
    if (!isCurrent()) return false;
    const outcomes = await Promise.all(
      into.map((tier) => tier.promote(entry, isCurrent, { probation: true })),
    );
    const isOutdated = await dropOutdated(into, entry, outcomes);
    return !isOutdated && outcomes[0] === "stored";
  }
}
