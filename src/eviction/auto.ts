import type { EvictionLimits, EvictionPolicy } from "./eviction_policy.ts";
import { FrequencySketch } from "./_frequency_sketch.ts";
import { ShadowSteering } from "./_shadow_steering.ts";
import { SteeredLfu } from "./_steered_lfu.ts";

/**
 * Makes a policy that finds out by itself what suits the requests: frequency,
 * as W-TinyLFU has it, recency, as LRU has it, or a mixture.
 *
 * All of these are one structure, whose window takes a larger or a smaller
 * share; LRU is the one whose window is all. Small shadow caches of a sample of
 * the keys show which of them hits most of late, and the window becomes that
 * one's, entry by entry, so that nothing is lost at a change. The structure is
 * that of Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache
 * Admission Policy" (ACM Transactions on Storage, 2017), the shadow caches are
 * the miniature simulations of Waldspurger et al. (USENIX ATC 2017).
 */
export function createAutoPolicy(limits: EvictionLimits): EvictionPolicy {
  const sketch = new FrequencySketch();
  return new SteeredLfu("auto", limits, sketch, new ShadowSteering(sketch));
}
