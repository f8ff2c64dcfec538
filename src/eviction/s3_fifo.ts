import type { EvictionLimits, EvictionPolicy } from "./eviction_policy.ts";
import { Ghost } from "./_ghost.ts";
import { grown } from "./grown.ts";
import { MAX_SPARED } from "./_max_spared.ts";
import { SlotLists } from "./_slot_lists.ts";

const SMALL = 0;
const MAIN = 1;

/** The small queue's share of the limits. */
const SMALL_SHARE = 0.1;

/** Uses are counted up to this, in 2 bits. */
const MAX_USES = 3;

/** An entry that was used more often than this moves from the small queue to the main one. */
const USES_TO_STAY = 1;

/** Bits of an entry's state: its uses, and whether it is in the main queue. */
const USES_MASK = 3;
const IN_MAIN = 4;

/** Weights are kept in 32 bits; a heavier entry counts as this heavy. */
const MAX_WEIGHT = 0xffff_ffff;

/**
 * Evicts what is used once and never again before what is used twice: S3-FIFO
 * of Yang et al., "FIFO Queues are All You Need for Cache Eviction" (SOSP
 * 2023). New entries wait in a small queue; those used there again, and those
 * that come back soon after they left, go to the main queue, where each use
 * buys one more round. A hit costs one write of a byte.
 *
 * 17 bytes an entry, and 12 for the memory of one that left.
 */
export class S3FifoPolicy implements EvictionPolicy {
  /** Its name in configs. */
  readonly name = "s3-fifo";
  /** It knows by their hashes the entries that come back. */
  readonly usesHash = true;
  readonly #maxSmallWeight: number;
  readonly #maxSmallEntries: number;
  readonly #queues = new SlotLists(2);
  readonly #ghost = new Ghost();
  #states = new Uint8Array(0);
  #weights = new Uint32Array(0);
  #hashes = new Int32Array(0);
  #smallWeight = 0;
  #smallEntries = 0;
  #mainEntries = 0;

  constructor({ maxWeight, maxEntries }: EvictionLimits) {
    this.#maxSmallWeight = maxWeight * SMALL_SHARE;
    this.#maxSmallEntries = maxEntries * SMALL_SHARE;
  }

  /** Puts the slot into the small queue, or into the main one when its hash left a short while ago. */
  add(slot: number, weight: number, hash: number): void {
    if (slot >= this.#states.length) this.#grow(slot);
    this.#weights[slot] = Math.min(weight, MAX_WEIGHT);
    this.#hashes[slot] = hash;
    if (this.#ghost.take(hash, this.#ghostCapacity())) {
      this.#states[slot] = IN_MAIN;
      this.#mainEntries++;
      this.#queues.pushFront(MAIN, slot);
    } else {
      this.#states[slot] = 0;
      this.#smallEntries++;
      this.#smallWeight += this.#weights[slot]!;
      this.#queues.pushFront(SMALL, slot);
    }
  }

  /** Counts a use, up to three. */
  touch(slot: number): void {
    const state = this.#states[slot]!;
    if ((state & USES_MASK) < MAX_USES) this.#states[slot] = state + 1;
  }

  /** Keeps the weight of the small queue right. */
  reweigh(slot: number, weight: number): void {
    const before = this.#weights[slot]!;
    this.#weights[slot] = Math.min(weight, MAX_WEIGHT);
    if ((this.#states[slot]! & IN_MAIN) === 0) this.#smallWeight += this.#weights[slot]! - before;
  }

  /** Forgets the slot; its hash is not remembered. */
  remove(slot: number): void {
    this.#queues.unlink(slot);
    if ((this.#states[slot]! & IN_MAIN) !== 0) this.#mainEntries--;
    else this.#leaveSmall(slot);
  }

  /** Takes a slot from the small queue while that is over its share, else from the main one. */
  evict(): number {
    let spared = 0;
    while (this.#smallEntries > 0 && (this.#isSmallFull() || this.#mainEntries === 0)) {
      const slot = this.#queues.back(SMALL);
      if ((this.#states[slot]! & USES_MASK) > USES_TO_STAY && spared++ < MAX_SPARED) {
        this.#leaveSmall(slot);
        this.#states[slot] = IN_MAIN;
        this.#mainEntries++;
        this.#queues.moveToFront(MAIN, slot);
      } else {
        this.#ghost.add(this.#hashes[slot]!, this.#ghostCapacity());
        this.remove(slot);
        return slot;
      }
    }
    return this.#evictFromMain(spared);
  }

  /** Forgets all slots and hashes. */
  clear(): void {
    this.#queues.clear();
    this.#ghost.clear();
    this.#smallWeight = 0;
    this.#smallEntries = 0;
    this.#mainEntries = 0;
  }

  #evictFromMain(spared: number): number {
    for (;;) {
      const slot = this.#queues.back(MAIN);
      if (slot < 0) return -1;
      const state = this.#states[slot]!;
      if ((state & USES_MASK) === 0 || spared++ >= MAX_SPARED) {
        this.remove(slot);
        return slot;
      }
      this.#states[slot] = state - 1;
      this.#queues.moveToFront(MAIN, slot);
    }
  }

  #isSmallFull(): boolean {
    return this.#smallWeight >= this.#maxSmallWeight || this.#smallEntries >= this.#maxSmallEntries;
  }

  /** As many hashes as the main queue has room for, which is known only from what is held now when weight is the limit. */
  #ghostCapacity(): number {
    return Math.ceil((this.#smallEntries + this.#mainEntries) * (1 - SMALL_SHARE));
  }

  #leaveSmall(slot: number): void {
    this.#smallEntries--;
    this.#smallWeight -= this.#weights[slot]!;
  }

  #grow(slot: number): void {
    this.#states = grown(this.#states, slot);
    this.#weights = grown(this.#weights, slot);
    this.#hashes = grown(this.#hashes, slot);
  }
}

/** Makes an S3-FIFO policy for a store with these limits. */
export function createS3FifoPolicy(limits: EvictionLimits): EvictionPolicy {
  return new S3FifoPolicy(limits);
}
