import type { EvictionLimits, EvictionPolicy } from "./eviction_policy.ts";
import { grown } from "./grown.ts";
import { MAX_SPARED } from "./_max_spared.ts";
import { SlotLists } from "./_slot_lists.ts";

const LIST = 0;

/**
 * Evicts in the order of arrival, but what was used since gets another round:
 * CLOCK, or second chance, of Corbató, "A Paging Experiment with the Multics
 * System" (1968). Nearly as good as LRU; a hit costs one write of a byte. 9
 * bytes an entry.
 */
export class ClockPolicy implements EvictionPolicy {
  /** Its name in configs. */
  readonly name = "clock";
  /** It has no use for hashes. */
  readonly usesHash = false;
  readonly #lists = new SlotLists(1);
  #isUsed = new Uint8Array(0);

  /** Puts the slot behind the hand, where it is looked at last. */
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
    this.#lists.unlink(slot);
  }

  /** Takes the next slot that was not used since the hand passed it. */
  evict(): number {
    for (let spared = 0;; spared++) {
      const slot = this.#lists.back(LIST);
      if (slot < 0) return -1;
      if (this.#isUsed[slot] === 0 || spared >= MAX_SPARED) {
        this.#lists.unlink(slot);
        return slot;
      }
      this.#isUsed[slot] = 0;
      this.#lists.moveToFront(LIST, slot);
    }
  }

  /** Forgets all slots. */
  clear(): void {
    this.#lists.clear();
  }
}

/** Makes a policy that evicts in the order of arrival what was not used since its last round. */
export function createClockPolicy(_limits: EvictionLimits): EvictionPolicy {
  return new ClockPolicy();
}
