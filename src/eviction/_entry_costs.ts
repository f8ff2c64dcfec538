import { grown } from "./grown.ts";

/** Costs are kept in a byte, in quarters of a doubling above and below the first one; 0 stands for none. */
const STEPS = 4;
const FIRST_CODE = 128;
const MAX_CODE = 255;

/** Of what costs nothing. */
const FREE = 1;

/** What differences of codes stand for, from -{@linkcode MAX_CODE} to {@linkcode MAX_CODE}. */
const RATIOS = Float64Array.from(
  { length: 2 * MAX_CODE + 1 },
  (_, at) => 2 ** ((at - MAX_CODE) / STEPS),
);

/** The most rounds that an entry is spared for its cost. */
const MAX_ROUNDS = 15;

/** The mean follows so many of the last costs. */
const MEMORY = 1024;

/**
 * What entries cost to get again, where that is known, beside the geometric
 * mean of all: any unit will do. One of unknown cost counts as the mean.
 *
 * Where entries are compared, the price tells. Where they are not, one that
 * costs several times as much for each byte as others do is spared as many
 * rounds: GreedyDual-Size of Cao and Irani, "Cost-Aware WWW Proxy Caching
 * Algorithms" (USITS 1997), in whole rounds. A use gives all rounds back.
 *
 * Takes nothing while no cost is known, 3 bytes an entry otherwise.
 */
export class EntryCosts {
  #costs = new Uint8Array(0);
  /** Costs of a byte. */
  #densities = new Uint8Array(0);
  /** Rounds that were taken since the last use. */
  #rounds = new Uint8Array(0);
  #isUsed = false;
  #known = 0;
  /** The first cost, and the first cost of a byte, as powers of two. */
  #firstCost = 0;
  #firstDensity = 0;
  /** Means of codes. */
  #meanCost = FIRST_CODE;
  #meanDensity = FIRST_CODE;

  /** Whether a cost was ever given. */
  get isUsed(): boolean {
    return this.#isUsed;
  }

  /** Says what an entry costs, or that it is not known. */
  set(slot: number, cost: number | undefined, weight: number): void {
    if (cost === undefined && slot >= this.#costs.length) return;
    this.#isUsed = true;
    if (slot >= this.#costs.length) {
      this.#costs = grown(this.#costs, slot);
      this.#densities = grown(this.#densities, slot);
      this.#rounds = grown(this.#rounds, slot);
    }
    this.#rounds[slot] = 0;
    this.#costs[slot] = this.#densities[slot] = cost === undefined ? 0 : FREE;
    if (cost === undefined || cost === 0) return;
    const power = Math.log2(cost);
    const densityPower = power - Math.log2(Math.max(1, weight));
    if (this.#known === 0) {
      this.#firstCost = power;
      this.#firstDensity = densityPower;
    }
    const code = codeOf(power - this.#firstCost);
    const density = codeOf(densityPower - this.#firstDensity);
    const share = 1 / Math.min(MEMORY, ++this.#known);
    this.#meanCost += (code - this.#meanCost) * share;
    this.#meanDensity += (density - this.#meanDensity) * share;
    this.#costs[slot] = code;
    this.#densities[slot] = density;
  }

  /** What an entry costs, as a multiple of the mean. */
  priceOf(slot: number): number {
    return ratioOf(this.#costs[slot] ?? 0, this.#meanCost);
  }

  /** Gives all rounds back. */
  refill(slot: number): void {
    if (slot < this.#rounds.length) this.#rounds[slot] = 0;
  }

  /** Takes one round. @returns whether one was left. */
  spend(slot: number): boolean {
    const rounds = this.#rounds[slot];
    if (rounds === undefined || rounds >= MAX_ROUNDS) return false;
    const isLeft = rounds + 1 < Math.round(ratioOf(this.#densities[slot]!, this.#meanDensity));
    if (isLeft) this.#rounds[slot] = rounds + 1;
    return isLeft;
  }

  /** Forgets all costs. */
  clear(): void {
    this.#costs = new Uint8Array(0);
    this.#densities = new Uint8Array(0);
    this.#rounds = new Uint8Array(0);
    this.#isUsed = false;
    this.#known = 0;
    this.#meanCost = FIRST_CODE;
    this.#meanDensity = FIRST_CODE;
  }
}

/** The code of a cost that is 2^`power` times the first. */
function codeOf(power: number): number {
  return Math.min(MAX_CODE, Math.max(FREE, Math.round(power * STEPS) + FIRST_CODE));
}

/** How many times the mean a code stands for. */
function ratioOf(code: number, mean: number): number {
  return code === 0 ? 1 : RATIOS[code - Math.round(mean) + MAX_CODE]!;
}
