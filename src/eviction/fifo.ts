import type { EvictionLimits, EvictionPolicy } from "./eviction_policy.ts";
import { SlotLists } from "./_slot_lists.ts";

const LIST = 0;

/** Evicts the entry that came in first, whatever was read since. 8 bytes an entry. */
export class FifoPolicy implements EvictionPolicy {
  /** Its name in configs. */
  readonly name = "fifo";
  /** It has no use for hashes. */
  readonly usesHash = false;
  readonly #lists = new SlotLists(1);

  /** Puts the slot behind all others. */
  add(slot: number): void {
    this.#lists.pushFront(LIST, slot);
  }

  /** Uses do not change the order; an entry that is written again keeps its place. */
  touch(): void {}

  /** Weights do not change the order. */
  reweigh(): void {}

  /** Forgets the slot. */
  remove(slot: number): void {
    this.#lists.unlink(slot);
  }

  /** Takes the slot that was added first. */
  evict(): number {
    const slot = this.#lists.back(LIST);
    if (slot >= 0) this.#lists.unlink(slot);
    return slot;
  }

  /** Forgets all slots. */
  clear(): void {
    this.#lists.clear();
  }
}

/** Makes a policy that evicts entries in the order in which they came. */
export function createFifoPolicy(_limits: EvictionLimits): EvictionPolicy {
  return new FifoPolicy();
}
