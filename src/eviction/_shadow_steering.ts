import type { FrequencySketch } from "./_frequency_sketch.ts";
import { ShadowCache } from "./_shadow_cache.ts";
import { MIN_WINDOW, type WindowSteering } from "./_steered_lfu.ts";

/** The candidates: frequency decides nearly alone, two in between, and LRU. */
const WINDOWS: readonly number[] = [MIN_WINDOW, 0.1, 0.4, 1];

/** Entries of a shadow cache: this share of the cache's within bounds, so that most requests are not looked at. */
const CAPACITY_SHARE = 1 / 4;
const MIN_CAPACITY = 32;
const MAX_CAPACITY = 128;

/** Sampled requests, for each entry of a shadow cache, after which a hit counts for a third. */
const MEMORY_PER_ENTRY = 10;

/** Sampled requests between two decisions, for each entry of a shadow cache. */
const DECISION_PER_ENTRY = 1 / 4;

/** Another candidate is chosen when it leads by more standard deviations of its number of hits than this. */
const MARGIN = 1;

/** Hashes are sampled by their upper 24 bits; the lower ones choose places in tables. */
const SAMPLED_BITS = 24;

/**
 * Steers the window by what small shadow caches would have hit, one for each
 * candidate: they hold hashes alone, of a sample of all keys, in a cache that is
 * smaller by the same factor. That such a miniature hits as often as the whole
 * is shown by Waldspurger, Saemundsson, Ahmad and Park, "Cache Modeling and
 * Optimization using Miniature Simulations" (USENIX ATC 2017).
 *
 * 12 KB at most.
 */
export class ShadowSteering implements WindowSteering {
  readonly #sketch: FrequencySketch;
  #shadows: ShadowCache[] = [];
  /** Hits of each candidate, older ones for less. */
  readonly #scores = new Float64Array(WINDOWS.length);
  #chosen = 0;
  #capacity = 0;
  #threshold = 0;
  #decay = 0;
  #requestsToDecision = 0;

  /** @param sketch knows how often hashes were seen. */
  constructor(sketch: FrequencySketch) {
    this.#sketch = sketch;
  }

  /** As {@linkcode WindowSteering.request}. */
  request(hash: number): number {
    if ((hash >>> (32 - SAMPLED_BITS)) < this.#threshold) this.#sample(hash);
    return WINDOWS[this.#chosen]!;
  }

  /** As {@linkcode WindowSteering.resize}. */
  resize(entries: number): void {
    const wanted = Math.min(MAX_CAPACITY, Math.max(MIN_CAPACITY, entries * CAPACITY_SHARE));
    const capacity = Math.max(1, Math.round(Math.min(wanted, entries)));
    this.#threshold = Math.ceil(Math.min(1, capacity / entries) * 2 ** SAMPLED_BITS);
    if (capacity === this.#capacity) return;
    this.#capacity = capacity;
    this.#shadows = WINDOWS.map((share) => new ShadowCache(capacity, this.#sketch, share));
    this.#decay = 1 - 1 / (capacity * MEMORY_PER_ENTRY);
    this.#requestsToDecision = 0;
  }

  /** As {@linkcode WindowSteering.clear}. */
  clear(): void {
    this.#shadows = [];
    this.#scores.fill(0);
    this.#chosen = 0;
    this.#capacity = 0;
    this.#threshold = 0;
  }

  #sample(hash: number): void {
    const scores = this.#scores;
    for (let at = 0; at < scores.length; at++) {
      const score = scores[at]! * this.#decay;
      scores[at] = this.#shadows[at]!.request(hash) ? score + 1 : score;
    }
    if (--this.#requestsToDecision > 0) return;
    this.#requestsToDecision = this.#capacity * DECISION_PER_ENTRY;
    let best = this.#chosen;
    for (let at = 0; at < scores.length; at++) if (scores[at]! > scores[best]!) best = at;
    const lead = scores[best]! - scores[this.#chosen]!;
    if (lead > MARGIN * Math.sqrt(scores[best]!)) this.#chosen = best;
  }
}
