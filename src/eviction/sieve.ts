import type { EvictionLimits, EvictionPolicy } from "./eviction_policy.ts";
import { grown } from "./grown.ts";
import { MAX_SPARED } from "./_max_spared.ts";
import { SlotLists } from "./_slot_lists.ts";

const LIST = 0;
const NONE = -1;

/**
 * Evicts what was not used since a hand passed it, and leaves what it spares
 * where it is, so that new entries are sifted quickly: SIEVE of Zhang et al.,
 * "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for Web
 * Caches" (NSDI 2024). Good where popularity is skewed; hits nothing when each
 * key is used in a short burst only. A hit costs one write of a byte. 9 bytes
 * an entry.
 */
export class SievePolicy implements EvictionPolicy {
  /** Its name in configs. */
  readonly name = "sieve";
  /** It has no use for hashes. */
  readonly usesHash = false;
  readonly #lists = new SlotLists(1);
  #isUsed = new Uint8Array(0);
  /** The slot to be looked at next, on its way from the oldest to the newest. */
  #hand = NONE;

  /** Puts the slot first. */
  add(slot: number): void {
    if (slot >= this.#isUsed.length) this.#isUsed = grown(this.#isUsed, slot);
    this.#isUsed[slot] = 0;
    this.#lists.pushFront(LIST, slot);
  }

  /** Marks the slot as used. */
  touch(slot: number): void {
    this.#isUsed[slot] = 1;
  }

  /** Weights do not change the order. */
  reweigh(): void {}

  /** Forgets the slot. */
  remove(slot: number): void {
    if (this.#hand === slot) this.#hand = this.#lists.ahead(slot);
    this.#lists.unlink(slot);
  }

  /** Takes the next slot that was not used since the hand passed it. */
  evict(): number {
    let slot = this.#hand;
    for (let spared = 0;; spared++) {
      if (slot < 0) slot = this.#lists.back(LIST);
      if (slot < 0) return NONE;
      if (this.#isUsed[slot] === 0 || spared >= MAX_SPARED) break;
      this.#isUsed[slot] = 0;
      slot = this.#lists.ahead(slot);
    }
    this.#hand = slot;
    this.remove(slot);
    return slot;
  }

  /** Forgets all slots. */
  clear(): void {
    this.#lists.clear();
    this.#hand = NONE;
  }
}

/** Makes a policy that sifts out what is not used. */
export function createSievePolicy(_limits: EvictionLimits): EvictionPolicy {
  return new SievePolicy();
}
