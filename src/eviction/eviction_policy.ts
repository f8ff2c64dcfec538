/** How an entry takes its place among others. Stores that do not evict have no use for it. */
export interface Placement {
  /**
   * Nobody has asked for the entry yet: it was prefetched or warmed. Until it is
   * used it leaves before those that were asked for, and a tenth of the store
   * at most is cleared for such entries. An entry that the key has already
   * keeps its place.
   *
   * @default false
   */
  readonly probation?: boolean | undefined;
}

/** Bounds of an {@linkcode EvictionPolicy}; at least one of them is finite. */
export interface EvictionLimits {
  /** The most that all weights may add up to. */
  readonly maxWeight: number;
  /** The most entries. */
  readonly maxEntries: number;
}

/**
 * Decides which entry leaves. It knows entries by a slot number that its owner
 * hands out densely from 0 and reuses, and by their weight; it owns no keys and
 * no values. No call allocates per entry.
 */
export interface EvictionPolicy {
  /** Its name in configs. */
  readonly name: string;
  /** Whether it looks at the hash given to {@linkcode EvictionPolicy.add}; if not, any number will do. */
  readonly usesHash: boolean;
  /**
   * Whether it heeds costs. If not, the store sees to it that dear entries stay
   * longer. @default false
   */
  readonly usesCost?: boolean;
  /**
   * An entry came in. `slot` is in no use.
   *
   * @param hash 32 bits of the key, the same for the same key each time.
   * @param cost of getting it again, in a unit that is the same for all; `undefined` where it is not known.
   */
  add(slot: number, weight: number, hash: number, cost?: number): void;
  /** An entry was read, or written again with the same key. */
  touch(slot: number): void;
  /** An entry was written again: it may have another weight and cost. */
  reweigh(slot: number, weight: number, cost?: number): void;
  /** An entry left for a reason of its own: deleted, expired. */
  remove(slot: number): void;
  /**
   * Picks the entry to leave and forgets it, as {@linkcode EvictionPolicy.remove} does,
   * but may remember its hash.
   *
   * @returns its slot, or -1 when there is none.
   */
  evict(): number;
  /** Forgets everything. */
  clear(): void;
}

/** Makes a policy for a store with these limits. */
export type EvictionPolicyFactory = (limits: EvictionLimits) => EvictionPolicy;
