/** Counters in one word. */
const COUNTERS_PER_WORD = 8;

/** Words that the counters of one hash lie in: 64 bytes, which the processor loads at once. */
const WORDS_PER_BLOCK = 16;

/** Words for each entry: 16 counters. */
const WORDS_PER_ENTRY = 2;

/** Accesses for each entry after which all counts are halved. */
const SAMPLES_PER_ENTRY = 10;

/** The highest count. */
const MAX_COUNT = 15;

/** Clears in each counter the bit that halving shifts in from its neighbour. */
const HALF_MASK = 0x77777777;

/** The lowest bit of each counter. */
const ONE_MASK = 0x11111111;

const MIN_BLOCKS = 4;

/**
 * Estimates how often a hash was seen of late, from 0 to 15: a count-min sketch
 * with four rows and 4 bits a counter. All counters are halved when ten
 * accesses for each entry of the cache have been counted. From Einziger,
 * Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission Policy" (ACM
 * Transactions on Storage, 2017); that the counters of a hash lie in one block
 * is from Caffeine.
 *
 * 8 to 16 bytes for each entry of the cache.
 */
export class FrequencySketch {
  #words = new Int32Array(MIN_BLOCKS * WORDS_PER_BLOCK);
  #blockMask = MIN_BLOCKS - 1;
  #sampleSize = SAMPLES_PER_ENTRY;
  #counted = 0;

  /**
   * Says how large the cache is.
   *
   * @param entries that it is expected to hold when it is full.
   * @param held that it has held so far at most: memory is taken for these. What was counted stays.
   */
  resize(entries: number, held: number): void {
    this.#sampleSize = Math.max(1, entries) * SAMPLES_PER_ENTRY;
    while (this.#words.length < held * WORDS_PER_ENTRY) {
      // What a block has counted holds for both blocks that its hashes may lie in from now on.
      const words = new Int32Array(this.#words.length * 2);
      words.set(this.#words);
      words.set(this.#words, this.#words.length);
      this.#words = words;
      this.#blockMask = words.length / WORDS_PER_BLOCK - 1;
    }
  }

  /** Counts an access. @param hash well spread over all bits. */
  increment(hash: number): void {
    const block = (hash & this.#blockMask) * WORDS_PER_BLOCK;
    const choice = choiceOf(hash);
    let added = 0;
    for (let row = 0; row < 4; row++) {
      const bits = choice >>> (row << 3);
      const at = block + (row << 2) + (bits & 3);
      const shift = ((bits >>> 2) & (COUNTERS_PER_WORD - 1)) << 2;
      const word = this.#words[at]!;
      if (((word >>> shift) & MAX_COUNT) < MAX_COUNT) {
        this.#words[at] = word + (1 << shift);
        added = 1;
      }
    }
    this.#counted += added;
    if (this.#counted >= this.#sampleSize) this.#halve();
  }

  /** How often a hash was seen. @param hash well spread over all bits. */
  frequency(hash: number): number {
    const block = (hash & this.#blockMask) * WORDS_PER_BLOCK;
    const choice = choiceOf(hash);
    let least = MAX_COUNT;
    for (let row = 0; row < 4; row++) {
      const bits = choice >>> (row << 3);
      const word = this.#words[block + (row << 2) + (bits & 3)]!;
      const count = (word >>> (((bits >>> 2) & (COUNTERS_PER_WORD - 1)) << 2)) & MAX_COUNT;
      if (count < least) least = count;
    }
    return least;
  }

  /** Forgets all counts and gives their memory back. */
  clear(): void {
    this.#words = new Int32Array(MIN_BLOCKS * WORDS_PER_BLOCK);
    this.#blockMask = MIN_BLOCKS - 1;
    this.#counted = 0;
  }

  #halve(): void {
    const words = this.#words;
    let odd = 0;
    for (let at = 0; at < words.length; at++) {
      const word = words[at]!;
      odd += setBits(word & ONE_MASK);
      words[at] = (word >>> 1) & HALF_MASK;
    }
    // Each access has counted in four counters, and what halving rounds off is forgotten.
    this.#counted = (this.#counted - (odd >>> 2)) >>> 1;
  }
}

/** Bits that choose a counter in each row, independent of those that choose the block. */
function choiceOf(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x9e3779b1);
  return mixed ^ (mixed >>> 16);
}

/** How many of the lowest bits of eight counters are set. */
function setBits(word: number): number {
  const pairs = (word & 0x0f0f0f0f) + ((word >>> 4) & 0x0f0f0f0f);
  return Math.imul(pairs, 0x01010101) >>> 24;
}
