import type { EvictionLimits, EvictionPolicy } from "./eviction_policy.ts";
import { grown } from "./grown.ts";
import { SlotLists } from "./_slot_lists.ts";

const LIST = 0;

/** Of the limits, what is cleared for entries that nobody has asked for. */
const SHARE = 0.1;

/** Evictions that an entry outlasts at least without being used. */
const MIN_PATIENCE = 16;

/**
 * Puts a queue in front of any policy: for entries that nobody has asked for
 * yet, because they were prefetched or warmed. The first use hands such an
 * entry over to the policy, as one that has just come in.
 *
 * Until then it leaves before all others: when the queue holds more than a
 * tenth of the limits, and, so that what is never used does not stay in a small
 * one, after as many evictions as are a tenth of all entries. Where neither
 * holds, the policy picks. So a wrong guess never costs more than a tenth, and
 * a right one has time to come true.
 *
 * What an entry on probation costs is not known here.
 *
 * Takes nothing while it was never used, 25 bytes an entry otherwise.
 */
export class Probation implements EvictionPolicy {
  /** The policy's name. */
  readonly name: string;
  /** Whether the policy does. */
  readonly usesHash: boolean;
  /** The most that is cleared for one entry on probation. */
  readonly maxWeight: number;
  readonly #policy: EvictionPolicy;
  readonly #maxEntries: number;
  readonly #queue = new SlotLists(1);
  #isHeld = new Uint8Array(0);
  #weights = new Float64Array(0);
  #hashes = new Int32Array(0);
  /** The number of the eviction before which each came. */
  #cameAt = new Int32Array(0);
  #evictions = 0;
  #proven = 0;
  #entries = 0;
  #weight = 0;

  constructor(policy: EvictionPolicy, { maxWeight, maxEntries }: EvictionLimits) {
    this.name = policy.name;
    this.usesHash = policy.usesHash;
    this.maxWeight = maxWeight * SHARE;
    this.#policy = policy;
    this.#maxEntries = Math.max(1, Math.floor(maxEntries * SHARE));
  }

  /** An entry that was asked for came in. */
  add(slot: number, weight: number, hash: number, cost?: number): void {
    this.#proven++;
    this.#policy.add(slot, weight, hash, cost);
  }

  /** An entry that nobody has asked for came in. */
  addProbation(slot: number, weight: number, hash: number): void {
    if (slot >= this.#isHeld.length) this.#grow(slot);
    this.#isHeld[slot] = 1;
    this.#weights[slot] = weight;
    this.#hashes[slot] = hash;
    this.#cameAt[slot] = this.#evictions;
    this.#entries++;
    this.#weight += weight;
    this.#queue.pushFront(LIST, slot);
  }

  /** Counts a use; the first one ends probation. */
  touch(slot: number): void {
    if (this.#entries === 0 || this.#isHeld[slot] !== 1) {
      this.#policy.touch(slot);
    } else {
      this.#release(slot);
      this.add(slot, this.#weights[slot]!, this.#hashes[slot]!);
    }
  }

  /** An entry was written again. */
  reweigh(slot: number, weight: number, cost?: number): void {
    if (this.#entries === 0 || this.#isHeld[slot] !== 1) {
      this.#policy.reweigh(slot, weight, cost);
    } else {
      this.#weight += weight - this.#weights[slot]!;
      this.#weights[slot] = weight;
    }
  }

  /** Forgets an entry. */
  remove(slot: number): void {
    if (this.#entries > 0 && this.#isHeld[slot] === 1) {
      this.#release(slot);
    } else {
      this.#proven--;
      this.#policy.remove(slot);
    }
  }

  /**
   * Takes the slot that came first of those on probation, or the policy's choice.
   *
   * @param incoming the weight of an entry on probation for which room is made, 0 for any other.
   */
  evict(incoming = 0): number {
    this.#evictions = (this.#evictions + 1) | 0;
    if (this.#entries > 0 && this.#isDue(incoming)) return this.#evictFirst();
    const slot = this.#policy.evict();
    if (slot >= 0) {
      this.#proven--;
      return slot;
    }
    return this.#entries > 0 ? this.#evictFirst() : -1;
  }

  /** Forgets all entries. */
  clear(): void {
    this.#policy.clear();
    this.#queue.clear();
    this.#isHeld.fill(0);
    this.#proven = 0;
    this.#entries = 0;
    this.#weight = 0;
  }

  /** Whether one of those on probation is to leave next. */
  #isDue(incoming: number): boolean {
    const isOver = this.#entries + (incoming > 0 ? 1 : 0) > this.#maxEntries ||
      this.#weight + incoming > this.maxWeight;
    if (isOver) return true;
    const age = (this.#evictions - this.#cameAt[this.#queue.back(LIST)]!) | 0;
    return age > Math.max(MIN_PATIENCE, (this.#proven + this.#entries) * SHARE);
  }

  #evictFirst(): number {
    const slot = this.#queue.back(LIST);
    this.#release(slot);
    return slot;
  }

  #release(slot: number): void {
    this.#queue.unlink(slot);
    this.#isHeld[slot] = 0;
    this.#entries--;
    this.#weight -= this.#weights[slot]!;
  }

  #grow(slot: number): void {
    this.#isHeld = grown(this.#isHeld, slot);
    this.#weights = grown(this.#weights, slot);
    this.#hashes = grown(this.#hashes, slot);
    this.#cameAt = grown(this.#cameAt, slot);
  }
}
