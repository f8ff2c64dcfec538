import type { Tier } from "../manager/tier.ts";

/** How large entries are is not known before a tier holds so many; they are taken for large until then. */
const KNOWN_AFTER = 16;
const LARGE_BYTES = 1024 * 1024;

/** What comes may be so much larger than what is there. */
const MARGIN = 2;

/** How many entries tiers have room for without one of them having to leave. */
export class Rooms {
  readonly #left = new Map<Tier, number>();
  #limited: readonly Tier[];
  /** Entries that are about to come. */
  #reserved = 0;
  /** Those of them, and of those that have come, which the last look did not see. */
  #unseen = 0;

  /** @param tiers all of them, fastest first. */
  constructor(tiers: readonly Tier[]) {
    this.#limited = tiers;
  }

  /** Asks the tiers that have limits how they stand. */
  async look(): Promise<void> {
    const limited: Tier[] = [];
    // What comes while the tiers are asked may be seen, or not.
    this.#unseen = this.#reserved;
    await Promise.all(this.#limited.map(async (tier) => {
      const { entries = 0, bytes = 0, maxEntries, maxBytes } = await tier.getStats(true);
      if (maxEntries === undefined && maxBytes === undefined) return;
      limited.push(tier);
      let left = (maxEntries ?? Infinity) - entries;
      if (maxBytes !== undefined) {
        const free = maxBytes - bytes;
        const large = Math.min(LARGE_BYTES, maxBytes / KNOWN_AFTER);
        const mean = entries < KNOWN_AFTER ? large : bytes / entries;
        left = Math.min(left, free / (MARGIN * mean));
      }
      this.#left.set(tier, left);
    }));
    this.#limited = limited;
  }

  /**
   * How many entries a tier may be given now; none where it is full.
   *
   * @param own what the asker has kept room for itself.
   */
  of(tier: Tier, own = 0): number {
    const left = this.#left.get(tier);
    if (left === undefined) return Infinity;
    return Math.max(0, Math.floor(left - Math.max(0, this.#unseen - own)));
  }

  /** The first tier that is full, as {@linkcode Rooms.of} tells. */
  full(own = 0): Tier | undefined {
    return this.#limited.find((tier) => this.of(tier, own) < 1);
  }

  /** Keeps room for entries that are about to come. @returns what gives it back. */
  reserve(entries: number): () => void {
    this.#reserved += entries;
    this.#unseen += entries;
    return () => void (this.#reserved -= entries);
  }
}
