/**
 * 64-bit keyed hashes of keys: HalfSipHash-1-3 (Aumasson and Bernstein,
 * "SipHash: a fast short-input PRF", 2012), which needs 32-bit arithmetic
 * only. The seed is random and stays where it is used, in a directory or a
 * process, so that nobody can choose keys that collide.
 *
 * The result is in two fields instead of a return value: no call allocates.
 */
export class KeyHash {
  /** The lower half of the last hash. */
  low = 0;
  /** The upper half of the last hash. */
  high = 0;
  readonly #seedLow: number;
  readonly #seedHigh: number;

  constructor(seedLow: number, seedHigh: number) {
    this.#seedLow = seedLow | 0;
    this.#seedHigh = seedHigh | 0;
  }

  /** One whose seed nobody can guess. */
  static random(): KeyHash {
    const [low, high] = crypto.getRandomValues(new Uint32Array(2));
    return new KeyHash(low!, high!);
  }

  /** The lower half of the hash of a key. */
  lowOf(key: string): number {
    this.of(key);
    return this.low;
  }

  /** Hashes the UTF-16 code units of a key, two to a word, with the number of units in the last word. */
  of(key: string): void {
    const length = key.length;
    let v0 = this.#seedLow;
    let v1 = this.#seedHigh ^ 0xee;
    let v2 = 0x6c796765 ^ this.#seedLow;
    let v3 = 0x74656462 ^ this.#seedHigh;
    // One word more than the key has pairs, for the number of units and the odd one out.
    for (let at = 0; at <= length; at += 2) {
      const word = at + 1 < length
        ? key.charCodeAt(at) | key.charCodeAt(at + 1) << 16
        : at < length
        ? key.charCodeAt(at) | length << 16
        : length << 16;
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = (v1 << 5 | v1 >>> 27) ^ v0;
      v0 = v0 << 16 | v0 >>> 16;
      v2 = (v2 + v3) | 0;
      v3 = (v3 << 8 | v3 >>> 24) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = (v3 << 7 | v3 >>> 25) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = (v1 << 13 | v1 >>> 19) ^ v2;
      v2 = v2 << 16 | v2 >>> 16;
      v0 ^= word;
    }
    v2 ^= 0xee;
    // Three rounds for each half of the result.
    for (let round = 0; round < 6; round++) {
      if (round === 3) {
        this.low = (v1 ^ v3) >>> 0;
        v1 ^= 0xdd;
      }
      v0 = (v0 + v1) | 0;
      v1 = (v1 << 5 | v1 >>> 27) ^ v0;
      v0 = v0 << 16 | v0 >>> 16;
      v2 = (v2 + v3) | 0;
      v3 = (v3 << 8 | v3 >>> 24) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = (v3 << 7 | v3 >>> 25) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = (v1 << 13 | v1 >>> 19) ^ v2;
      v2 = v2 << 16 | v2 >>> 16;
    }
    this.high = (v1 ^ v3) >>> 0;
  }
}
