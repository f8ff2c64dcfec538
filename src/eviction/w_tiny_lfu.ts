import type { EvictionLimits, EvictionPolicy } from "./eviction_policy.ts";
import { FrequencySketch } from "./_frequency_sketch.ts";
import { MIN_WINDOW, SteeredLfu, type WindowSteering } from "./_steered_lfu.ts";

/** Requests for each entry of the cache after which the window is changed. */
const REQUESTS_PER_ENTRY = 10;

/** By how much it is changed at first. */
const FIRST_STEP = 0.0625;

/** Each step is so much smaller than the one before. */
const STEP_DECAY = 0.98;

/** A change of the hit ratio by so much means that the requests have changed: steps are large again. */
const RESTART = 0.05;

/** The largest window, so that some frequency always counts. */
const MAX_WINDOW = 0.8;

/** Climbs to where the hit ratio is highest: goes on in the direction that made it better, back from one that made it worse. */
export class HillClimber implements WindowSteering {
  #share = MIN_WINDOW;
  #step = -FIRST_STEP;
  #period = Infinity;
  #requests = 0;
  #hits = 0;
  #previous = 0;

  /** As {@linkcode WindowSteering.request}. */
  request(_hash: number, isHit: boolean): number {
    if (isHit) this.#hits++;
    if (++this.#requests >= this.#period) this.#climb();
    return this.#share;
  }

  /** As {@linkcode WindowSteering.resize}. */
  resize(entries: number): void {
    this.#period = entries * REQUESTS_PER_ENTRY;
  }

  /** As {@linkcode WindowSteering.clear}. */
  clear(): void {
    this.#share = MIN_WINDOW;
    this.#step = -FIRST_STEP;
    this.#period = Infinity;
    this.#requests = 0;
    this.#hits = 0;
    this.#previous = 0;
  }

  #climb(): void {
    const ratio = this.#hits / this.#requests;
    const change = ratio - this.#previous;
    const step = change >= 0 ? this.#step : -this.#step;
    this.#share = Math.min(MAX_WINDOW, Math.max(MIN_WINDOW, this.#share + step));
    this.#step = Math.abs(change) >= RESTART ? FIRST_STEP * Math.sign(step) : step * STEP_DECAY;
    this.#previous = ratio;
    this.#requests = 0;
    this.#hits = 0;
  }
}

/**
 * Makes a policy that admits what is asked for more often than what would have
 * to leave for it: W-TinyLFU of Einziger, Friedman and Manes, "TinyLFU: A
 * Highly Efficient Cache Admission Policy" (ACM Transactions on Storage, 2017).
 * The window for what is new adapts by climbing towards the higher hit ratio:
 * Einziger, Eytan, Friedman and Manes, "Adaptive Software Cache Management"
 * (Middleware 2018).
 */
export function createWTinyLfuPolicy(limits: EvictionLimits): EvictionPolicy {
  return new SteeredLfu("w-tiny-lfu", limits, new FrequencySketch(), new HillClimber());
}
