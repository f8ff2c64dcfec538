import { CacheError } from "../../src/errors.ts";
import type { CacheEntry } from "../../src/entry/entry.ts";
import { grown } from "../../src/eviction/grown.ts";
import { keyHash } from "../../src/eviction/key_hash.ts";
import type {
  EvictionLimits,
  EvictionPolicy,
  Placement,
} from "../../src/eviction/eviction_policy.ts";
import type { Probation } from "../../src/eviction/probation.ts";
import { storePolicy } from "../../src/eviction/store_policy.ts";
import type { Clock } from "../../src/types.ts";

/** What one look for entries whose time is over has done. */
export interface SweepOutcome {
  /** Places looked at. */
  readonly checked: number;
  /** Entries removed. */
  readonly removed: number;
}

/**
 * Entries by key within limits, all of it synchronous.
 *
 * Each entry has a slot: a place in arrays that hold what is asked for most
 * outside of the entry, and the number by which the policy knows it.
 */
export class MemoryStore {
  readonly #clock: Clock;
  readonly #policy: Probation;
  readonly #limits: EvictionLimits;
  readonly #hashOf: (key: string) => number;
  readonly #slots = new Map<string, number>();
  #entries: (CacheEntry | undefined)[] = [];
  #expiresAt = new Float64Array(0);
  #weights = new Float64Array(0);
  #free: number[] = [];
  #weight = 0;
  #mortals = 0;
  #sweepFrom = 0;
  #evictions = 0;
  #expirations = 0;

  /** @param hashOf hashes keys for the policy, to 32 bits. For keys that others choose: by what they do not know, so that none collide on purpose. */
  constructor(
    clock: Clock,
    policy: EvictionPolicy,
    limits: EvictionLimits,
    hashOf: (key: string) => number = keyHash,
  ) {
    this.#clock = clock;
    this.#policy = storePolicy(policy, limits);
    this.#limits = limits;
    this.#hashOf = hashOf;
  }

  /** Entries held, those included whose time is over and that were not met since. */
  get size(): number {
    return this.#slots.size;
  }

  /** The weight of all of them. */
  get weight(): number {
    return this.#weight;
  }

  /** How many of them will be over at some time. */
  get mortals(): number {
    return this.#mortals;
  }

  /** Entries that left to make room, ever. */
  get evictions(): number {
    return this.#evictions;
  }

  /** Entries that left because their time was over, ever. */
  get expirations(): number {
    return this.#expirations;
  }

  /** The live entry of a key; counts as a use. */
  get(key: string): CacheEntry | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined) return undefined;
    const expiresAt = this.#expiresAt[slot]!;
    if (expiresAt !== Infinity && this.#isOver(slot, expiresAt)) return undefined;
    this.#policy.touch(slot);
    return this.#entries[slot];
  }

  /** The live entry of a key; does not count as a use. */
  peek(key: string): CacheEntry | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined) return undefined;
    const expiresAt = this.#expiresAt[slot]!;
    if (expiresAt !== Infinity && this.#isOver(slot, expiresAt)) return undefined;
    return this.#entries[slot];
  }

  /** Whether an entry of the key is held, live or not. */
  holds(key: string): boolean {
    return this.#slots.has(key);
  }

  /**
   * Puts an entry in place of any other of its key, after making room for it.
   *
   * @returns `false` when it is heavier than all may be, or on probation and
   * heavier than what may be cleared for it; its key then has none.
   */
  put(entry: CacheEntry, weight: number, placement?: Placement): boolean {
    const { key, expiresAt } = entry;
    const { maxWeight, maxEntries } = this.#limits;
    let slot = this.#slots.get(key) ?? -1;
    if (weight > maxWeight) {
      if (slot >= 0) this.#remove(slot);
      return false;
    }
    const isOnProbation = placement?.probation === true;
    const probationWeight = isOnProbation && slot < 0 ? weight : 0;
    if (
      probationWeight > this.#policy.maxWeight && this.#weight + weight > maxWeight
    ) return false;
    if (slot >= 0 && !isOnProbation) this.#policy.touch(slot);
    let added = slot < 0 ? weight : weight - this.#weights[slot]!;
    while (this.#weight + added > maxWeight || (slot < 0 && this.#slots.size >= maxEntries)) {
      const victim = this.#evict(probationWeight);
      if (victim === slot) {
        slot = -1;
        added = weight;
      } else {
        this.#evictions++;
      }
    }
    if (slot < 0) {
      slot = this.#take(key);
      const hash = this.#policy.usesHash ? this.#hashOf(key) : 0;
      if (isOnProbation) this.#policy.addProbation(slot, weight, hash);
      else this.#policy.add(slot, weight, hash, entry.cost);
    } else {
      this.#policy.reweigh(slot, weight, entry.cost);
      if (this.#isMortal(slot)) this.#mortals--;
    }
    this.#weight += added;
    this.#weights[slot] = weight;
    this.#expiresAt[slot] = expiresAt;
    this.#entries[slot] = entry;
    if (this.#isMortal(slot)) this.#mortals++;
    return true;
  }

  /** Removes the entry of a key. @returns whether it was live. */
  delete(key: string): boolean {
    const slot = this.#slots.get(key);
    if (slot === undefined) return false;
    const wasLive = this.#expiresAt[slot]! > this.#clock.recent();
    this.#remove(slot);
    return wasLive;
  }

  /** Removes the entries whose keys match. @returns how many live ones there were. */
  deleteMatching(matches: (key: string) => boolean): number {
    const now = this.#clock.recent();
    let live = 0;
    for (const [key, slot] of this.#slots) {
      if (!matches(key)) continue;
      if (this.#expiresAt[slot]! > now) live++;
      this.#remove(slot);
    }
    return live;
  }

  /** Removes all entries and gives their memory back. @returns how many live ones there were. */
  clear(): number {
    const now = this.#clock.recent();
    let live = 0;
    for (const slot of this.#slots.values()) if (this.#expiresAt[slot]! > now) live++;
    this.#slots.clear();
    this.#policy.clear();
    this.#entries = [];
    this.#expiresAt = new Float64Array(0);
    this.#weights = new Float64Array(0);
    this.#free = [];
    this.#weight = 0;
    this.#mortals = 0;
    return live;
  }

  /** Keys of live entries. Goes on correctly when entries come and go between two of them, and ends in any case. */
  *keys(): Generator<string> {
    // An entry that is removed and set again moves to the end; without a count, a caller who does that never gets there.
    let left = this.#slots.size;
    for (const [key, slot] of this.#slots) {
      if (left-- === 0) return;
      if (this.#expiresAt[slot]! > this.#clock.recent()) yield key;
    }
  }

  /**
   * Removes entries whose time is over, going on where the last call ended.
   *
   * @param maxChecks the most places to look at.
   * @param maxRemovals the most entries to remove.
   */
  sweep(maxChecks: number, maxRemovals: number): SweepOutcome {
    const now = this.#clock.now();
    const checks = Math.min(maxChecks, this.#entries.length);
    let checked = 0;
    let removed = 0;
    let slot = this.#sweepFrom;
    for (; checked < checks && removed < maxRemovals; checked++, slot++) {
      if (slot >= this.#entries.length) slot = 0;
      if (this.#expiresAt[slot]! <= now && this.#expire(slot, now)) removed++;
    }
    this.#sweepFrom = slot;
    return { checked, removed };
  }

  /** Whether the time of an entry that can be over is over; then it may leave. */
  #isOver(slot: number, expiresAt: number): boolean {
    const now = this.#clock.recent();
    if (expiresAt > now) return false;
    this.#expire(slot, now);
    return true;
  }

  /** Removes an entry that is over for good. One that may still be served stale stays, and is a miss. */
  #expire(slot: number, now: number): boolean {
    const entry = this.#entries[slot];
    if (entry === undefined || entry.staleUntil > now) return false;
    this.#expirations++;
    this.#remove(slot);
    return true;
  }

  #isMortal(slot: number): boolean {
    return this.#entries[slot]!.staleUntil !== Infinity;
  }

  /** Frees the slot that the policy picks. */
  #evict(probationWeight: number): number {
    const victim = this.#policy.evict(probationWeight);
    if (this.#entries[victim] === undefined) {
      throw new CacheError(
        "backend",
        `Cannot evict: policy "${this.#policy.name}" picked slot ${victim}, which holds nothing`,
      );
    }
    this.#release(victim);
    return victim;
  }

  #remove(slot: number): void {
    this.#policy.remove(slot);
    this.#release(slot);
  }

  #release(slot: number): void {
    const entry = this.#entries[slot]!;
    if (this.#isMortal(slot)) this.#mortals--;
    this.#slots.delete(entry.key);
    this.#weight -= this.#weights[slot]!;
    this.#entries[slot] = undefined;
    this.#expiresAt[slot] = Infinity;
    this.#free.push(slot);
  }

  /** A free slot for a key, the lowest new one when none is left over. */
  #take(key: string): number {
    let slot = this.#free.pop();
    if (slot === undefined) {
      slot = this.#entries.length;
      this.#entries.push(undefined);
      this.#expiresAt = grown(this.#expiresAt, slot);
      this.#weights = grown(this.#weights, slot);
    }
    this.#slots.set(key, slot);
    return slot;
  }
}
