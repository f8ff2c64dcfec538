import type { EvictionLimits, EvictionPolicy } from "./eviction_policy.ts";
import type { FrequencySketch } from "./_frequency_sketch.ts";
import { spread } from "./_spread.ts";
import { WindowedLfu } from "./_windowed_lfu.ts";

/** The share of the window at the beginning, and never less. */
export const MIN_WINDOW = 0.01;

/** What the window is steered by. */
export interface WindowSteering {
  /**
   * Takes note of a request.
   *
   * @param hash of its key, well spread over all bits.
   * @param isHit whether the entry was there; it came in just now if not.
   * @returns the share that the window should have from now on.
   */
  request(hash: number, isHit: boolean): number;
  /** Says how many entries the cache is expected to hold when it is full. */
  resize(entries: number): void;
  /** Begins anew. */
  clear(): void;
}

/** By how much the expected number of entries must change for it to be told. */
const NOTABLE_CHANGE = 1.25;

/** Entries that come in between two estimates of how many there will be, as a share of those held. */
const ESTIMATE_SHARE = 1 / 8;

/** Uses that are noted before they are counted: together they take a third of the time. */
const MAX_NOTED = 128;

/**
 * A {@linkcode WindowedLfu} that counts requests, and whose window is steered.
 *
 * 25 to 33 bytes an entry, and what the steering takes.
 */
export class SteeredLfu implements EvictionPolicy {
  /** Its name in configs. */
  readonly name: string;
  /** It counts hashes. */
  readonly usesHash = true;
  /** It compares costs. */
  readonly usesCost = true;
  readonly #limits: EvictionLimits;
  readonly #sketch: FrequencySketch;
  readonly #steering: WindowSteering;
  readonly #lfu: WindowedLfu;
  #share = MIN_WINDOW;
  #expected = 0;
  #mostHeld = 0;
  #addsToEstimate = 0;
  /** Slots that were used since anything else happened. */
  readonly #noted = new Int32Array(MAX_NOTED);
  #notes = 0;

  /** @param sketch is filled here, and may be read by the steering. */
  constructor(
    name: string,
    limits: EvictionLimits,
    sketch: FrequencySketch,
    steering: WindowSteering,
  ) {
    this.name = name;
    this.#limits = limits;
    this.#sketch = sketch;
    this.#steering = steering;
    this.#lfu = new WindowedLfu(limits, sketch, MIN_WINDOW);
  }

  /** Puts the slot into the window. */
  add(slot: number, weight: number, hash: number, cost?: number): void {
    if (this.#notes > 0) this.#countUses();
    const spreadHash = spread(hash);
    this.#lfu.add(slot, weight, spreadHash, cost);
    if (--this.#addsToEstimate < 0) this.#estimate();
    this.#request(spreadHash, false);
  }

  /** Counts a use. */
  touch(slot: number): void {
    this.#noted[this.#notes++] = slot;
    if (this.#notes === MAX_NOTED) this.#countUses();
  }

  /** Changes the weight and the cost of a slot. */
  reweigh(slot: number, weight: number, cost?: number): void {
    if (this.#notes > 0) this.#countUses();
    this.#lfu.reweigh(slot, weight, cost);
  }

  /** Forgets the slot; how often its hash was seen is not forgotten. */
  remove(slot: number): void {
    if (this.#notes > 0) this.#countUses();
    this.#lfu.remove(slot);
  }

  /** Takes the slot that is worth least. */
  evict(): number {
    if (this.#notes > 0) this.#countUses();
    return this.#lfu.evict();
  }

  /** Forgets all slots and counts. */
  clear(): void {
    this.#lfu.clear();
    this.#sketch.clear();
    this.#steering.clear();
    this.#lfu.setWindow(this.#share = MIN_WINDOW);
    this.#expected = 0;
    this.#mostHeld = 0;
    this.#addsToEstimate = 0;
    this.#notes = 0;
  }

  #countUses(): void {
    const notes = this.#notes;
    this.#notes = 0;
    for (let at = 0; at < notes; at++) {
      const slot = this.#noted[at]!;
      this.#request(this.#lfu.hashOf(slot), true);
      this.#lfu.touch(slot);
    }
  }

  #request(hash: number, isHit: boolean): void {
    this.#sketch.increment(hash);
    const share = this.#steering.request(hash, isHit);
    if (share !== this.#share) this.#lfu.setWindow(this.#share = share);
  }

  /** Estimates how many entries there will be when a limit is reached. */
  #estimate(): void {
    const { entries, weight } = this.#lfu;
    const { maxEntries, maxWeight } = this.#limits;
    this.#addsToEstimate = Math.floor(entries * ESTIMATE_SHARE);
    const fitting = weight > 0 ? maxWeight * entries / weight : Infinity;
    const expected = Math.max(entries, Math.min(maxEntries, fitting));
    const change = expected / this.#expected;
    const isNotable = !(change < NOTABLE_CHANGE && change > 1 / NOTABLE_CHANGE);
    if (!isNotable && entries <= this.#mostHeld) return;
    this.#mostHeld = Math.max(entries, this.#mostHeld);
    if (isNotable) this.#steering.resize(this.#expected = expected);
    this.#sketch.resize(this.#expected, this.#mostHeld + this.#addsToEstimate);
  }
}
