import { ClimbingModel, ShadowModel, SteeredModel } from "./steered_models.ts";
import { Ghost } from "../../src/eviction/_ghost.ts";
import type { EvictionLimits, EvictionPolicy } from "../../src/eviction/eviction_policy.ts";

/** A policy in its plainest form: a list of all entries, searched from end to end. */
export type PolicyModel = EvictionPolicy;

/** Oldest first; a use moves to the end, or not. */
class QueueModel implements PolicyModel {
  readonly usesHash = false;
  readonly name: string;
  readonly #movesOnUse: boolean;
  #order: number[] = [];

  constructor(name: string, movesOnUse: boolean) {
    this.name = name;
    this.#movesOnUse = movesOnUse;
  }

  add(slot: number): void {
    this.#order.push(slot);
  }

  touch(slot: number): void {
    if (!this.#movesOnUse) return;
    this.remove(slot);
    this.add(slot);
  }

  reweigh(): void {}

  remove(slot: number): void {
    this.#order = this.#order.filter((other) => other !== slot);
  }

  evict(): number {
    return this.#order.shift() ?? -1;
  }

  clear(): void {
    this.#order = [];
  }
}

/** Priority is a number that only grows; 8 for a use, at most 255 above what was evicted last. */
class LfuModel implements PolicyModel {
  readonly usesHash = false;
  readonly name = "lfu";
  #entries: { slot: number; priority: number; at: number }[] = [];
  #base = 0;
  #time = 0;

  add(slot: number): void {
    this.#entries.push({ slot, priority: this.#base + 1, at: this.#time++ });
  }

  touch(slot: number): void {
    const entry = this.#entries.find((candidate) => candidate.slot === slot)!;
    entry.priority = Math.min(entry.priority + 8, this.#base + 255);
    entry.at = this.#time++;
  }

  reweigh(): void {}

  remove(slot: number): void {
    this.#entries = this.#entries.filter((entry) => entry.slot !== slot);
  }

  evict(): number {
    const [victim] = this.#entries.toSorted((a, b) => a.priority - b.priority || a.at - b.at);
    if (victim === undefined) return -1;
    this.#base = victim.priority;
    this.remove(victim.slot);
    return victim.slot;
  }

  clear(): void {
    this.#entries = [];
  }
}

/** Oldest first. The hand is in front of the entry to be looked at next; what it spares goes to the end, or stays. */
class HandModel implements PolicyModel {
  readonly usesHash = false;
  readonly name: string;
  readonly #movesSpared: boolean;
  #order: { slot: number; isUsed: boolean }[] = [];
  #hand = 0;

  constructor(name: string, movesSpared: boolean) {
    this.name = name;
    this.#movesSpared = movesSpared;
  }

  add(slot: number): void {
    this.#order.push({ slot, isUsed: false });
  }

  touch(slot: number): void {
    this.#order.find((entry) => entry.slot === slot)!.isUsed = true;
  }

  reweigh(): void {}

  remove(slot: number): void {
    const place = this.#order.findIndex((entry) => entry.slot === slot);
    this.#order.splice(place, 1);
    if (place < this.#hand) this.#hand--;
    // A hand that has gone past the newest begins anew with the oldest, whatever comes meanwhile.
    if (this.#hand >= this.#order.length) this.#hand = 0;
  }

  evict(): number {
    if (this.#order.length === 0) return -1;
    for (;;) {
      const entry = this.#order[this.#hand]!;
      if (!entry.isUsed) {
        this.remove(entry.slot);
        return entry.slot;
      }
      entry.isUsed = false;
      if (this.#movesSpared) this.#order.push(this.#order.shift()!);
      else this.#hand = (this.#hand + 1) % this.#order.length;
    }
  }

  clear(): void {
    this.#order = [];
    this.#hand = 0;
  }
}

interface S3Entry {
  readonly slot: number;
  readonly hash: number;
  weight: number;
  uses: number;
}

/** The algorithm of the paper, with the ghost that has tests of its own. */
class S3FifoModel implements PolicyModel {
  readonly usesHash = true;
  readonly name = "s3-fifo";
  readonly #limits: EvictionLimits;
  #ghost = new Ghost();
  #small: S3Entry[] = [];
  #main: S3Entry[] = [];

  constructor(limits: EvictionLimits) {
    this.#limits = limits;
  }

  add(slot: number, weight: number, hash: number): void {
    const queue = this.#ghost.take(hash, this.#ghostCapacity()) ? this.#main : this.#small;
    queue.push({ slot, hash, weight, uses: 0 });
  }

  touch(slot: number): void {
    const entry = this.#find(slot);
    entry.uses = Math.min(entry.uses + 1, 3);
  }

  reweigh(slot: number, weight: number): void {
    this.#find(slot).weight = weight;
  }

  remove(slot: number): void {
    this.#small = this.#small.filter((entry) => entry.slot !== slot);
    this.#main = this.#main.filter((entry) => entry.slot !== slot);
  }

  evict(): number {
    while (this.#small.length > 0 && (this.#isSmallFull() || this.#main.length === 0)) {
      const tail = this.#small[0]!;
      if (tail.uses > 1) {
        this.#small.shift();
        this.#main.push({ ...tail, uses: 0 });
      } else {
        this.#ghost.add(tail.hash, this.#ghostCapacity());
        this.#small.shift();
        return tail.slot;
      }
    }
    for (;;) {
      const tail = this.#main.shift();
      if (tail === undefined) return -1;
      if (tail.uses === 0) return tail.slot;
      tail.uses--;
      this.#main.push(tail);
    }
  }

  clear(): void {
    this.#small = [];
    this.#main = [];
    this.#ghost = new Ghost();
  }

  #find(slot: number): S3Entry {
    return [...this.#small, ...this.#main].find((entry) => entry.slot === slot)!;
  }

  #isSmallFull(): boolean {
    const weight = this.#small.reduce((sum, entry) => sum + entry.weight, 0);
    return weight >= this.#limits.maxWeight * 0.1 ||
      this.#small.length >= this.#limits.maxEntries * 0.1;
  }

  #ghostCapacity(): number {
    return Math.ceil((this.#small.length + this.#main.length) * 0.9);
  }
}

/** A model for each policy that a config can name. */
export const POLICY_MODELS: Readonly<Record<string, (limits: EvictionLimits) => PolicyModel>> = {
  lru: () => new QueueModel("lru", true),
  fifo: () => new QueueModel("fifo", false),
  clock: () => new HandModel("clock", true),
  lfu: () => new LfuModel(),
  sieve: () => new HandModel("sieve", false),
  "s3-fifo": (limits) => new S3FifoModel(limits),
  "w-tiny-lfu": (limits) => new SteeredModel("w-tiny-lfu", limits, () => new ClimbingModel()),
  auto: (limits) => new SteeredModel("auto", limits, (sketch) => new ShadowModel(sketch)),
};
