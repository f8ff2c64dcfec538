import type { EvictionLimits, EvictionPolicy } from "./eviction_policy.ts";
import { SlotLists } from "./_slot_lists.ts";

const LIST = 0;

/** Evicts the entry that was not used for the longest time. 8 bytes an entry. */
export class LruPolicy implements EvictionPolicy {
  /** Its name in configs. */
  readonly name = "lru";
  /** It has no use for hashes. */
  readonly usesHash = false;
  readonly #lists = new SlotLists(1);

  /** Puts the slot first. */
  add(slot: number): void {
    this.#lists.pushFront(LIST, slot);
  }

  /** Puts the slot first again. */
  touch(slot: number): void {
    this.#lists.moveToFront(LIST, slot);
  }

  /** Weights do not change the order. */
  reweigh(): void {}

  /** Forgets the slot. */
  remove(slot: number): void {
    this.#lists.unlink(slot);
  }

  /** Takes the slot that was touched the longest time ago. */
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

/** Makes a policy that evicts the least recently used entry. */
export function createLruPolicy(_limits: EvictionLimits): EvictionPolicy {
  return new LruPolicy();
}
