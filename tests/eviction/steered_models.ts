import { FrequencySketch } from "../../src/eviction/_frequency_sketch.ts";
import { spread } from "../../src/eviction/_spread.ts";
import type { EvictionLimits, EvictionPolicy } from "../../src/eviction/eviction_policy.ts";

interface Item {
  readonly slot: number;
  readonly hash: number;
  weight: number;
}

type ListName = "window" | "probation" | "protected";

/** Three plain lists, oldest first. The sketch has tests of its own. */
class WindowedModel {
  readonly lists: Record<ListName, Item[]> = { window: [], probation: [], protected: [] };
  share = 0.01;
  readonly #limits: EvictionLimits;
  readonly #sketch: FrequencySketch;

  constructor(limits: EvictionLimits, sketch: FrequencySketch) {
    this.#limits = limits;
    this.#sketch = sketch;
  }

  get items(): Item[] {
    return [...this.lists.window, ...this.lists.probation, ...this.lists.protected];
  }

  add(item: Item): void {
    const { window, probation } = this.lists;
    window.push(item);
    while (isAny(window, (sum, most) => sum > most, this.#windowLimits()) && this.#mainFits()) {
      probation.push(window.shift()!);
    }
  }

  touch(slot: number): void {
    const { window, probation, protected: kept } = this.lists;
    if (window.some((item) => item.slot === slot)) return toEnd(window, slot);
    if (kept.some((item) => item.slot === slot)) return toEnd(kept, slot);
    kept.push(...probation.splice(probation.findIndex((item) => item.slot === slot), 1));
    const { maxEntries, maxWeight } = this.#mainLimits();
    const limits = { maxEntries: maxEntries * 0.8, maxWeight: maxWeight * 0.8 };
    while (isAny(kept, (sum, most) => sum > most, limits)) probation.push(kept.shift()!);
  }

  remove(slot: number): void {
    for (const list of Object.values(this.lists)) {
      const place = list.findIndex((item) => item.slot === slot);
      if (place >= 0) list.splice(place, 1);
    }
  }

  evict(): Item | undefined {
    const { window, probation, protected: kept } = this.lists;
    const isFull = () => {
      const { items } = this;
      const { maxEntries, maxWeight } = this.#windowLimits();
      const another = Math.max(window[0]?.weight ?? 0, weightOf(items) / items.length);
      return window.length + 1 > maxEntries || weightOf(window) + another > maxWeight;
    };
    const isWellFilled = () => {
      const { maxEntries, maxWeight } = this.#windowLimits();
      return window.length >= maxEntries || weightOf(window) > maxWeight / 4;
    };
    while (isFull() && this.#mainFits()) probation.push(window.shift()!);
    const candidate = window[0];
    let victim = probation[0] ?? kept[0] ?? candidate;
    if (candidate !== undefined && victim !== undefined && victim !== candidate && isWellFilled()) {
      const ratio = candidate.weight / victim.weight;
      const size = (item: Item) => ratio >= 0.8 && ratio <= 1.25 ? 1 : item.weight;
      const worth = (item: Item) => this.#sketch.frequency(item.hash) / size(item);
      if (worth(candidate) <= worth(victim)) victim = candidate;
    }
    if (victim !== undefined) this.remove(victim.slot);
    return victim;
  }

  clear(): void {
    for (const list of Object.values(this.lists)) list.length = 0;
  }

  #windowLimits(): EvictionLimits {
    const { maxEntries, maxWeight } = this.#limits;
    return {
      maxEntries: Math.max(1, Math.round(maxEntries * this.share)),
      maxWeight: maxWeight * this.share,
    };
  }

  #mainLimits(): EvictionLimits {
    const window = this.#windowLimits();
    const rest = (all: number, taken: number) => all === Infinity ? Infinity : all - taken;
    return {
      maxEntries: rest(this.#limits.maxEntries, window.maxEntries),
      maxWeight: rest(this.#limits.maxWeight, window.maxWeight),
    };
  }

  /** Whether the main area has room for the last of the window. */
  #mainFits(): boolean {
    const [candidate] = this.lists.window;
    const main = [...this.lists.probation, ...this.lists.protected];
    const limits = this.#mainLimits();
    return candidate !== undefined && main.length < limits.maxEntries &&
      weightOf(main) + candidate.weight <= limits.maxWeight;
  }
}

/** What steers a window; see `WindowSteering`. */
interface SteeringModel {
  request(hash: number, isHit: boolean): number;
  resize(entries: number): void;
}

/** Counts requests and hits for a while, and takes a step. */
export class ClimbingModel implements SteeringModel {
  #share = 0.01;
  #step = -0.0625;
  #entries = Infinity;
  #previous = 0;
  #outcomes: boolean[] = [];

  request(_hash: number, isHit: boolean): number {
    this.#outcomes.push(isHit);
    if (this.#outcomes.length >= this.#entries * 10) {
      const ratio = this.#outcomes.filter(Boolean).length / this.#outcomes.length;
      if (ratio < this.#previous) this.#step = -this.#step;
      this.#share = Math.min(0.8, Math.max(0.01, this.#share + this.#step));
      this.#step = Math.abs(ratio - this.#previous) >= 0.05
        ? Math.sign(this.#step) * 0.0625
        : this.#step * 0.98;
      this.#previous = ratio;
      this.#outcomes = [];
    }
    return this.#share;
  }

  resize(entries: number): void {
    this.#entries = entries;
  }
}

/** Whole caches of a sample of the keys, each with a window of its own. */
export class ShadowModel implements SteeringModel {
  readonly #sketch: FrequencySketch;
  readonly #shares = [0.01, 0.1, 0.4, 1];
  readonly #scores = [0, 0, 0, 0];
  #caches: WindowedModel[] = [];
  #capacity = 0;
  #share = 0;
  #left = 0;
  #chosen = 0;
  #nextSlot = 0;

  constructor(sketch: FrequencySketch) {
    this.#sketch = sketch;
  }

  request(hash: number): number {
    if ((hash >>> 8) / 2 ** 24 < this.#share) this.#sample(hash);
    return this.#shares[this.#chosen]!;
  }

  resize(entries: number): void {
    const capacity = Math.round(Math.min(entries, Math.max(32, Math.min(128, entries / 4))));
    this.#share = capacity / entries;
    if (capacity === this.#capacity) return;
    this.#capacity = Math.max(1, capacity);
    this.#caches = this.#shares.map((share) => {
      const limits = { maxWeight: Infinity, maxEntries: this.#capacity };
      const cache = new WindowedModel(limits, this.#sketch);
      cache.share = share;
      return cache;
    });
    this.#left = 0;
  }

  #sample(hash: number): void {
    this.#caches.forEach((cache, at) => {
      this.#scores[at]! *= 1 - 1 / (this.#capacity * 10);
      const found = cache.items.find((item) => item.hash === hash);
      if (found !== undefined) {
        this.#scores[at]!++;
        cache.touch(found.slot);
      } else {
        if (cache.items.length === this.#capacity) cache.evict();
        cache.add({ slot: this.#nextSlot++, hash, weight: 1 });
      }
    });
    if (--this.#left > 0) return;
    this.#left = this.#capacity / 4;
    const most = Math.max(...this.#scores);
    const current = this.#scores[this.#chosen]!;
    if (most - current > Math.sqrt(most)) this.#chosen = this.#scores.indexOf(most);
  }
}

/** A windowed model with a sketch that it fills, and something that steers it. */
export class SteeredModel implements EvictionPolicy {
  readonly usesHash = true;
  readonly name: string;
  readonly #limits: EvictionLimits;
  readonly #makeSteering: (sketch: FrequencySketch) => SteeringModel;
  #sketch!: FrequencySketch;
  #steering!: SteeringModel;
  #windowed!: WindowedModel;
  #expected = 0;
  #mostHeld = 0;
  #addsLeft = 0;

  constructor(
    name: string,
    limits: EvictionLimits,
    makeSteering: (sketch: FrequencySketch) => SteeringModel,
  ) {
    this.name = name;
    this.#limits = limits;
    this.#makeSteering = makeSteering;
    this.clear();
  }

  add(slot: number, weight: number, hash: number): void {
    const item = { slot, weight, hash: spread(hash) };
    this.#windowed.add(item);
    if (--this.#addsLeft < 0) this.#estimate();
    this.#request(item, false);
  }

  touch(slot: number): void {
    this.#request(this.#find(slot), true);
    this.#windowed.touch(slot);
  }

  reweigh(slot: number, weight: number): void {
    this.#find(slot).weight = weight;
  }

  remove(slot: number): void {
    this.#windowed.remove(slot);
  }

  evict(): number {
    return this.#windowed.evict()?.slot ?? -1;
  }

  clear(): void {
    this.#sketch = new FrequencySketch();
    this.#steering = this.#makeSteering(this.#sketch);
    this.#windowed = new WindowedModel(this.#limits, this.#sketch);
    this.#expected = 0;
    this.#mostHeld = 0;
    this.#addsLeft = 0;
  }

  #find(slot: number): Item {
    return this.#windowed.items.find((item) => item.slot === slot)!;
  }

  #request({ hash }: Item, isHit: boolean): void {
    this.#sketch.increment(hash);
    this.#windowed.share = this.#steering.request(hash, isHit);
  }

  #estimate(): void {
    const { items } = this.#windowed;
    this.#addsLeft = Math.floor(items.length / 8);
    const { maxWeight, maxEntries } = this.#limits;
    const expected = Math.max(
      items.length,
      Math.min(maxEntries, maxWeight / weightOf(items) * items.length),
    );
    const isNotable = expected >= this.#expected * 1.25 || expected <= this.#expected / 1.25;
    if (isNotable) this.#steering.resize(this.#expected = expected);
    this.#mostHeld = Math.max(this.#mostHeld, items.length);
    this.#sketch.resize(this.#expected, this.#mostHeld + this.#addsLeft);
  }
}

function weightOf(items: readonly Item[]): number {
  return items.reduce((sum, item) => sum + item.weight, 0);
}

/** Whether the number or the weight of some items is beyond its limit. */
function isAny(
  items: readonly Item[],
  isBeyond: (sum: number, most: number) => boolean,
  { maxEntries, maxWeight }: EvictionLimits,
): boolean {
  return isBeyond(items.length, maxEntries) || isBeyond(weightOf(items), maxWeight);
}

function toEnd(items: Item[], slot: number): void {
  items.push(...items.splice(items.findIndex((item) => item.slot === slot), 1));
}
