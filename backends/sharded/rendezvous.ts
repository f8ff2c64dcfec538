import { keyHash } from "../../src/eviction/key_hash.ts";

/*
 * Which shard has a key: rendezvous hashing (Thaler and Ravishankar, "Using
 * name-based mappings to increase hit rates", IEEE/ACM ToN 6(1), 1998), with
 * weights by logarithm (Schindelhauer and Schomaker, "Weighted distributed
 * hash tables", SPAA 2005). Programs of all versions that share shards must
 * agree on it, so it never changes:
 *
 *   h(text)        FNV-1a of 32 bits over the UTF-16 code units
 *   mix(n)         the finalizer of MurmurHash3 for 32 bits
 *   draw           mix(h(key) xor mix(h(name of the shard)))
 *   score          -weight / ln((draw + 0.5) / 2^32)
 *
 * The highest score wins; of equal scores that of the name which sorts first,
 * by code units. With equal weights the highest draw has the highest score.
 */

/** A shard, as far as it matters for where keys are. */
export interface Weighted {
  /** Names it for ever: where a key is depends on the names, not on their order. */
  readonly id: string;
  /** Its share of the keys, in proportion to the others'. */
  readonly weight: number;
}

/** Finds the shard of each key. A shard that is added takes over its share of the keys, and no others move. */
export class Rendezvous<S extends Weighted> {
  readonly #shards: readonly S[];
  readonly #seeds: readonly number[];
  readonly #isEven: boolean;

  /** @param shards at least one, no two of one name. */
  constructor(shards: readonly S[]) {
    this.#shards = [...shards].sort((left, right) => left.id < right.id ? -1 : 1);
    this.#seeds = this.#shards.map(({ id }) => mix(keyHash(id)));
    this.#isEven = shards.every(({ weight }) => weight === shards[0]!.weight);
  }

  /** The shard of a key. */
  shardOf(key: string): S {
    const hash = keyHash(key);
    let best = 0;
    let highest = -1;
    for (let at = 0; at < this.#seeds.length; at++) {
      const draw = mix(hash ^ this.#seeds[at]!);
      const score = this.#isEven ? draw : scoreOf(draw, this.#shards[at]!.weight);
      if (score > highest) {
        highest = score;
        best = at;
      }
    }
    return this.#shards[best]!;
  }
}

function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scoreOf(draw: number, weight: number): number {
  return weight / -naturalLogarithm((draw + 0.5) / 2 ** 32);
}

/** Terms of the series: the last is below the precision of a number. */
const LAST_EXPONENT = 33;

/**
 * ln of a number from 2^-33 up to 1. `Math.log` may differ between runtimes in
 * the last bit, and with it the shard of a key; plain arithmetic may not.
 */
function naturalLogarithm(value: number): number {
  let halvings = 0;
  while (value < 0.5) {
    value *= 2;
    halvings++;
  }
  // ln v = 2 artanh((v - 1) / (v + 1))
  const base = (value - 1) / (value + 1);
  let power = base;
  let sum = 0;
  for (let exponent = 1; exponent <= LAST_EXPONENT; exponent += 2) {
    sum += power / exponent;
    power *= base * base;
  }
  return 2 * sum - halvings * Math.LN2;
}
