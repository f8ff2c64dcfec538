import { EntryCosts } from "./_entry_costs.ts";
import type { EvictionPolicy } from "./eviction_policy.ts";
import { grown } from "./grown.ts";
import { MAX_SPARED } from "./_max_spared.ts";

/**
 * Makes a policy that knows no costs heed them: what it picks is put back as if
 * it had just come in, as often as the entry's cost is worth; see {@linkcode EntryCosts}.
 *
 * Takes nothing while no cost is known, 15 bytes an entry otherwise.
 */
export class CostAware implements EvictionPolicy {
  /** The policy's name. */
  readonly name: string;
  /** Whether the policy does. */
  readonly usesHash: boolean;
  /** It does. */
  readonly usesCost = true;
  readonly #policy: EvictionPolicy;
  readonly #costs = new EntryCosts();
  /** With which to put an entry back. */
  #weights = new Float64Array(0);
  #hashes = new Int32Array(0);

  constructor(policy: EvictionPolicy) {
    this.name = policy.name;
    this.usesHash = policy.usesHash;
    this.#policy = policy;
  }

  /** An entry came in. */
  add(slot: number, weight: number, hash: number, cost?: number): void {
    if (cost !== undefined || this.#costs.isUsed) {
      this.#costs.set(slot, cost, weight);
      if (slot >= this.#hashes.length) {
        this.#weights = grown(this.#weights, slot);
        this.#hashes = grown(this.#hashes, slot);
      }
      this.#weights[slot] = weight;
      this.#hashes[slot] = hash;
    }
    this.#policy.add(slot, weight, hash);
  }

  /** Counts a use. */
  touch(slot: number): void {
    if (this.#costs.isUsed) this.#costs.refill(slot);
    this.#policy.touch(slot);
  }

  /** An entry was written again. Its cost counts from when it came in with one. */
  reweigh(slot: number, weight: number, cost?: number): void {
    if (slot < this.#hashes.length) {
      this.#weights[slot] = weight;
      this.#costs.set(slot, cost, weight);
    }
    this.#policy.reweigh(slot, weight);
  }

  /** Forgets an entry. */
  remove(slot: number): void {
    this.#policy.remove(slot);
  }

  /** Takes the policy's choice, unless its cost spares it. */
  evict(): number {
    for (let spared = 0;; spared++) {
      const slot = this.#policy.evict();
      const isSpared = slot >= 0 && this.#costs.isUsed && spared < MAX_SPARED &&
        this.#costs.spend(slot);
      if (!isSpared) return slot;
      this.#policy.add(slot, this.#weights[slot]!, this.#hashes[slot]!);
    }
  }

  /** Forgets all entries. */
  clear(): void {
    this.#policy.clear();
    this.#costs.clear();
    this.#weights = new Float64Array(0);
    this.#hashes = new Int32Array(0);
  }
}
