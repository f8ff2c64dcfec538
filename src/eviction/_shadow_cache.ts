import type { FrequencySketch } from "./_frequency_sketch.ts";
import { WindowedLfu } from "./_windowed_lfu.ts";

/** Buckets for each entry of the index. */
const BUCKETS_PER_ENTRY = 2;

const NONE = -1;

/**
 * A small {@linkcode WindowedLfu} of hashes alone, that shows how often a cache
 * with a window of this share would hit. 23 bytes an entry.
 */
export class ShadowCache {
  readonly #capacity: number;
  readonly #lfu: WindowedLfu;
  /** The first slot of each bucket, and the next one of each slot. */
  readonly #buckets: Int16Array;
  readonly #next: Int16Array;
  #size = 0;

  /** @param capacity hashes that it holds, 32,767 at most. */
  constructor(capacity: number, sketch: FrequencySketch, share: number) {
    this.#capacity = capacity;
    this.#lfu = new WindowedLfu({ maxWeight: Infinity, maxEntries: capacity }, sketch, share);
    let buckets = 1;
    while (buckets < capacity * BUCKETS_PER_ENTRY) buckets *= 2;
    this.#buckets = new Int16Array(buckets).fill(NONE);
    this.#next = new Int16Array(capacity);
  }

  /** Takes a request. @returns whether it hits. */
  request(hash: number): boolean {
    const lfu = this.#lfu;
    const bucket = hash & (this.#buckets.length - 1);
    for (let slot = this.#buckets[bucket]!; slot !== NONE; slot = this.#next[slot]!) {
      if (lfu.hashOf(slot) === hash) {
        lfu.touch(slot);
        return true;
      }
    }
    const slot = this.#size < this.#capacity ? this.#size++ : this.#evict();
    lfu.add(slot, 1, hash);
    this.#next[slot] = this.#buckets[bucket]!;
    this.#buckets[bucket] = slot;
    return false;
  }

  #evict(): number {
    const victim = this.#lfu.evict();
    const bucket = this.#lfu.hashOf(victim) & (this.#buckets.length - 1);
    const next = this.#next;
    let slot = this.#buckets[bucket]!;
    if (slot === victim) {
      this.#buckets[bucket] = next[victim]!;
    } else {
      while (next[slot] !== victim) slot = next[slot]!;
      next[slot] = next[victim]!;
    }
    return victim;
  }
}
