import { EntryCosts } from "./_entry_costs.ts";
import type { EvictionLimits } from "./eviction_policy.ts";
import type { FrequencySketch } from "./_frequency_sketch.ts";
import { grown } from "./grown.ts";
import { MAX_SPARED } from "./_max_spared.ts";
import { SlotLists } from "./_slot_lists.ts";

const WINDOW = 0;
const PROBATION = 1;
const PROTECTED = 2;

/** Of the main area, the share of what was used there. */
const PROTECTED_SHARE = 0.8;

/** The most entries that one call moves from the window to the main area, when the window has become smaller. */
const MAX_MOVES = 256;

/**
 * Weights that differ by no more than this factor count as equal: where uses
 * are equal too, as in a loop, a few bytes must not make entries take turns.
 */
const SIMILAR = 1.25;

/** The share of its weight from which on the last entry of the window is compared with what would leave for it. */
const WELL_FILLED = 0.25;

/** Weights are kept in 32 bits; a heavier entry counts as this heavy. */
const MAX_WEIGHT = 0xffff_ffff;

/**
 * Entries in a window and a main area, as W-TinyLFU has them, where the share
 * of the window can be changed at any time: from almost nothing, when frequency
 * decides, to all, when it is LRU.
 *
 * New entries come into the window, a list in order of use. Those that leave it
 * come into the main area if they are asked for more often than what would
 * leave there for them: for each byte, so that one large entry is worth several
 * small ones if it is used as often as all of these together. Where costs are
 * known, a use of what costs twice as much counts twice. The main area is a
 * list of those that were used in it, and one of the others.
 *
 * 17 bytes an entry, and 3 where costs are known.
 */
export class WindowedLfu {
  readonly #limits: EvictionLimits;
  readonly #sketch: FrequencySketch;
  readonly #lists = new SlotLists(3);
  readonly #costs = new EntryCosts();
  #listOf = new Uint8Array(0);
  #weights = new Uint32Array(0);
  #hashes = new Int32Array(0);
  readonly #weightOf = new Float64Array(3);
  readonly #entriesOf = new Float64Array(3);
  #maxWindowWeight = 0;
  #maxWindowEntries = 0;
  #maxMainWeight = 0;
  #maxMainEntries = 0;

  /**
   * @param sketch knows how often hashes were seen; it is not changed here.
   * @param share of the window, above 0 and up to 1.
   */
  constructor(limits: EvictionLimits, sketch: FrequencySketch, share: number) {
    this.#limits = { ...limits };
    this.#sketch = sketch;
    this.setWindow(share);
  }

  /** Entries held. */
  get entries(): number {
    const entries = this.#entriesOf;
    return entries[WINDOW]! + entries[PROBATION]! + entries[PROTECTED]!;
  }

  /** The weight of all of them. */
  get weight(): number {
    const weights = this.#weightOf;
    return weights[WINDOW]! + weights[PROBATION]! + weights[PROTECTED]!;
  }

  /** Changes the share of the window; entries move with the next ones that come and go. */
  setWindow(share: number): void {
    const { maxWeight, maxEntries } = this.#limits;
    this.#maxWindowWeight = maxWeight * share;
    this.#maxWindowEntries = Math.max(1, Math.round(maxEntries * share));
    // What is infinite is no limit for either.
    this.#maxMainWeight = maxWeight === Infinity ? Infinity : maxWeight - this.#maxWindowWeight;
    this.#maxMainEntries = maxEntries === Infinity ? Infinity : maxEntries - this.#maxWindowEntries;
  }

  /** The hash with which an entry was added. */
  hashOf(slot: number): number {
    return this.#hashes[slot]!;
  }

  /** Puts a slot into the window. @param hash well spread over all bits. */
  add(slot: number, weight: number, hash: number, cost?: number): void {
    if (slot >= this.#listOf.length) this.#grow(slot);
    this.#weights[slot] = Math.min(weight, MAX_WEIGHT);
    this.#hashes[slot] = hash;
    if (cost !== undefined || this.#costs.isUsed) this.#costs.set(slot, cost, weight);
    this.#enter(WINDOW, slot);
    this.#lists.pushFront(WINDOW, slot);
    // As long as there is room, what is too much for the window goes on without a comparison.
    for (let moves = 0; moves < MAX_MOVES && this.#isWindowOver(); moves++) {
      if (!this.#moveIntoRoom()) break;
    }
  }

  /** Counts a use for the order of the lists. */
  touch(slot: number): void {
    if (this.#costs.isUsed) this.#costs.refill(slot);
    const list = this.#listOf[slot]!;
    if (list !== PROBATION) {
      this.#lists.moveToFront(list, slot);
      return;
    }
    this.#move(slot, PROTECTED);
    while (this.#isProtectedOver()) {
      this.#move(this.#spare(this.#lists.back(PROTECTED), PROTECTED), PROBATION);
    }
  }

  /** Changes the weight and the cost of an entry. */
  reweigh(slot: number, weight: number, cost?: number): void {
    if (cost !== undefined || this.#costs.isUsed) this.#costs.set(slot, cost, weight);
    this.#leave(slot);
    this.#weights[slot] = Math.min(weight, MAX_WEIGHT);
    this.#enter(this.#listOf[slot]!, slot);
  }

  /** Forgets a slot. */
  remove(slot: number): void {
    this.#lists.unlink(slot);
    this.#leave(slot);
  }

  /** Takes the last of the window or of the main area, whichever is worth less; -1 when there is none. */
  evict(): number {
    const lists = this.#lists;
    for (let moves = 0; moves < MAX_MOVES && this.#isWindowFull(); moves++) {
      if (!this.#moveIntoRoom()) break;
    }
    const candidate = lists.back(WINDOW);
    let victim = this.#mainVictim();
    if (victim < 0) {
      victim = this.#spare(candidate, WINDOW);
    } else if (candidate < 0 || !this.#isWindowWellFilled()) {
      victim = this.#spare(victim, this.#listOf[victim]!);
    } else if (!this.#isWorthMore(candidate, victim)) {
      victim = candidate;
    }
    // A candidate that is worth more moves on as soon as what has left for it makes room enough.
    if (victim >= 0) this.remove(victim);
    return victim;
  }

  /** Forgets all slots. */
  clear(): void {
    this.#lists.clear();
    this.#costs.clear();
    this.#weightOf.fill(0);
    this.#entriesOf.fill(0);
  }

  /** The next one to leave the main area, -1 when there is none. */
  #mainVictim(): number {
    const slot = this.#lists.back(PROBATION);
    return slot < 0 ? this.#lists.back(PROTECTED) : slot;
  }

  /** Passes over what is next to leave a list without a comparison, as often as its cost is worth. */
  #spare(next: number, list: number): number {
    if (!this.#costs.isUsed) return next;
    let slot = next;
    for (let spared = 0; spared < MAX_SPARED && this.#costs.spend(slot); spared++) {
      this.#lists.moveToFront(list, slot);
      slot = this.#lists.back(list);
    }
    return slot;
  }

  #isWorthMore(candidate: number, victim: number): boolean {
    let uses = this.#sketch.frequency(this.#hashes[candidate]!);
    let usesOfVictim = this.#sketch.frequency(this.#hashes[victim]!);
    if (this.#costs.isUsed) {
      uses *= this.#costs.priceOf(candidate);
      usesOfVictim *= this.#costs.priceOf(victim);
    }
    const weight = this.#weights[candidate]!;
    const weightOfVictim = this.#weights[victim]!;
    return weight <= weightOfVictim * SIMILAR && weightOfVictim <= weight * SIMILAR
      ? uses > usesOfVictim
      : uses * weightOfVictim > usesOfVictim * weight;
  }

  /** Whether there is no more room in the window for another entry: one as heavy as its last, or as all are in the mean. */
  #isWindowFull(): boolean {
    if (this.#entriesOf[WINDOW]! >= this.#maxWindowEntries) return true;
    if (this.#maxWindowWeight === Infinity) return false;
    const last = this.#lists.back(WINDOW);
    const another = Math.max(last < 0 ? 0 : this.#weights[last]!, this.weight / this.entries);
    return this.#weightOf[WINDOW]! + another > this.#maxWindowWeight;
  }

  /**
   * Whether the window is full, or so heavy that its last entry is compared all
   * the same. Weights never add up to the limit exactly; were the main area to
   * give way for each new entry that does not quite fit, nothing would ever be
   * compared.
   */
  #isWindowWellFilled(): boolean {
    return this.#entriesOf[WINDOW]! >= this.#maxWindowEntries ||
      this.#weightOf[WINDOW]! > this.#maxWindowWeight * WELL_FILLED;
  }

  #isWindowOver(): boolean {
    return this.#entriesOf[WINDOW]! > this.#maxWindowEntries ||
      this.#weightOf[WINDOW]! > this.#maxWindowWeight;
  }

  /** Moves the last of the window to the main area if that has room. @returns whether it had. */
  #moveIntoRoom(): boolean {
    const slot = this.#lists.back(WINDOW);
    if (slot < 0) return false;
    const entries = this.#entriesOf[PROBATION]! + this.#entriesOf[PROTECTED]!;
    const weight = this.#weightOf[PROBATION]! + this.#weightOf[PROTECTED]!;
    if (
      entries >= this.#maxMainEntries || weight + this.#weights[slot]! > this.#maxMainWeight
    ) return false;
    this.#move(slot, PROBATION);
    return true;
  }

  #isProtectedOver(): boolean {
    return this.#entriesOf[PROTECTED]! > this.#maxMainEntries * PROTECTED_SHARE ||
      this.#weightOf[PROTECTED]! > this.#maxMainWeight * PROTECTED_SHARE;
  }

  #move(slot: number, list: number): void {
    this.#leave(slot);
    this.#enter(list, slot);
    this.#lists.moveToFront(list, slot);
  }

  #enter(list: number, slot: number): void {
    this.#listOf[slot] = list;
    this.#weightOf[list]! += this.#weights[slot]!;
    this.#entriesOf[list]!++;
  }

  #leave(slot: number): void {
    const list = this.#listOf[slot]!;
    this.#weightOf[list]! -= this.#weights[slot]!;
    this.#entriesOf[list]!--;
  }

  #grow(slot: number): void {
    this.#listOf = grown(this.#listOf, slot);
    this.#weights = grown(this.#weights, slot);
    this.#hashes = grown(this.#hashes, slot);
  }
}
