import type { EvictionLimits, EvictionPolicy } from "./eviction_policy.ts";
import { grown } from "./grown.ts";
import { SlotLists } from "./_slot_lists.ts";

/** Lists in the ring, as many as a byte tells apart. */
const RING = 256;

/** By how many lists a use lifts an entry above the oldest one; a new entry starts one above it. */
const STEPS_PER_USE = 8;

/** The highest that an entry can stand: the list just behind the oldest one in the ring. */
const MAX_STEPS = RING - 1;

/**
 * Evicts the entry that was used least often, and of several such the one whose
 * last use is longest ago. 9 bytes an entry.
 *
 * Entries of equal priority share a list, and lists stand in the order of
 * priority, so that each call takes constant time: Shah, Mitra and Matani, "An
 * O(1) algorithm for implementing the LFU cache eviction scheme" (2010). So
 * that old favourites can leave, priority is the count of uses above the
 * priority of what was evicted last: dynamic ageing of Arlitt et al.,
 * "Evaluating Content Management Techniques for Web Proxy Caches" (2000).
 * Counting ends at 32 uses above that, which bounds how long one can outlive
 * its last use, and makes the lists a ring.
 */
export class LfuPolicy implements EvictionPolicy {
  /** Its name in configs. */
  readonly name = "lfu";
  /** It has no use for hashes. */
  readonly usesHash = false;
  readonly #lists = new SlotLists(RING);
  /** The list of each slot. */
  #listOf = new Uint8Array(0);
  #entries = 0;
  /** The list of lowest priority; the others follow it around the ring. */
  #lowest = 0;

  /** Puts the slot just above the lowest priority. */
  add(slot: number): void {
    if (slot >= this.#listOf.length) this.#listOf = grown(this.#listOf, slot);
    const list = (this.#lowest + 1) % RING;
    this.#listOf[slot] = list;
    this.#lists.pushFront(list, slot);
    this.#entries++;
  }

  /** Lifts the slot by one use. */
  touch(slot: number): void {
    const steps = (this.#listOf[slot]! - this.#lowest + RING) % RING;
    const list = (this.#lowest + Math.min(steps + STEPS_PER_USE, MAX_STEPS)) % RING;
    this.#listOf[slot] = list;
    this.#lists.moveToFront(list, slot);
  }

  /** Weights do not change the order. */
  reweigh(): void {}

  /** Forgets the slot. */
  remove(slot: number): void {
    this.#lists.unlink(slot);
    this.#entries--;
  }

  /** Takes the slot of lowest priority; that priority is the base from which others count. */
  evict(): number {
    if (this.#entries === 0) return -1;
    let slot = this.#lists.back(this.#lowest);
    while (slot < 0) {
      this.#lowest = (this.#lowest + 1) % RING;
      slot = this.#lists.back(this.#lowest);
    }
    this.remove(slot);
    return slot;
  }

  /** Forgets all slots. */
  clear(): void {
    this.#lists.clear();
    this.#entries = 0;
  }
}

/** Makes a policy that evicts the least frequently used entry. */
export function createLfuPolicy(_limits: EvictionLimits): EvictionPolicy {
  return new LfuPolicy();
}
