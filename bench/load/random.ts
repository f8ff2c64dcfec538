import { seededRandom } from "../../tests/fakes/seeded_random.ts";

/** Random draws that are the same in every run. */
export class Draws {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** Between 0 and 1, neither of them. */
  uniform(): number {
    return this.#random() || 0.5;
  }

  /** The time to the next arrival of a Poisson process, where 1 / `rate` is the mean. */
  exponential(rate: number): number {
    return -Math.log(this.uniform()) / rate;
  }

  /** Log-normal, by its median and by how many times that its 99th percentile is. */
  logNormal(median: number, timesAtP99: number): number {
    const normal = Math.sqrt(-2 * Math.log(this.uniform())) *
      Math.cos(2 * Math.PI * this.uniform());
    return median * Math.exp(normal * Math.log(timesAtP99) / 2.326);
  }
}

/** Ranks with the popularity of Zipf's law, by a table of sums. */
export class Zipf {
  readonly #sums: Float64Array;

  constructor(count: number, exponent: number) {
    this.#sums = new Float64Array(count);
    let sum = 0;
    for (let rank = 0; rank < count; rank++) this.#sums[rank] = sum += 1 / (rank + 1) ** exponent;
  }

  /** A rank from 0 on. */
  draw(draws: Draws): number {
    const sums = this.#sums;
    const wanted = draws.uniform() * sums[sums.length - 1]!;
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
