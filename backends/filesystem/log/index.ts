/** Words of 4 bytes that an entry takes: hash 2, stamp 2, expiry 2, offset, length, segment and author, flags and records. */
const ENTRY_WORDS = 10;
const CHUNK_BITS = 12;
const CHUNK_ENTRIES = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_ENTRIES - 1;

const SHARD_BITS = 6;
const FIRST_TABLE_SIZE = 16;

/** An entry is not in any segment. */
export const NO_SEGMENT = 0xffff;

/** The highest number that a segment may have. */
export const MAX_SEGMENTS: number = NO_SEGMENT;

const RECORDS_SHIFT = 8;
const FLAGS_MASK = 0x7f;
/** Tells an entry with no flags and no records from a free slot. */
const USED = 0x80;

/**
 * Where the newest record of each key is, by the 64-bit hash of the key.
 *
 * Entries lie 40 bytes each in chunks of 4,096, so that growing copies nothing
 * and a look-up touches one cache line. Their numbers, the slots, are dense
 * and reused. Beside them are 64 open-addressing tables of slots; each grows
 * on its own, so that no single insertion waits for all of them.
 *
 * Hashes are keyed and random; two keys of one hash share a slot, and whoever
 * reads the record compares the whole key.
 */
export class EntryIndex {
  readonly #words: Uint32Array[] = [];
  readonly #doubles: Float64Array[] = [];
  #tables: Uint32Array[] = [];
  #counts: Uint32Array = new Uint32Array(1 << SHARD_BITS);
  #free = -1;
  #used = 0;
  #size = 0;

  constructor() {
    this.clear();
  }

  /** Entries held. */
  get size(): number {
    return this.#size;
  }

  /** One more than the highest slot ever used since the last {@linkcode EntryIndex.clear}. */
  get slots(): number {
    return this.#used;
  }

  /** Bytes held in arrays. */
  get bytes(): number {
    let total = this.#words.length * CHUNK_ENTRIES * ENTRY_WORDS * 4;
    for (const table of this.#tables) total += table.byteLength;
    return total;
  }

  /** The slot of a hash, -1 when there is none. */
  find(low: number, high: number): number {
    const table = this.#tables[high >>> (32 - SHARD_BITS)]!;
    const mask = table.length - 1;
    for (let at = low & mask;; at = (at + 1) & mask) {
      const slot = table[at]! - 1;
      if (slot < 0) return -1;
      const words = this.#words[slot >>> CHUNK_BITS]!;
      const base = (slot & CHUNK_MASK) * ENTRY_WORDS;
      if (words[base] === low && words[base + 1] === high) return slot;
    }
  }

  /** Makes a slot for a hash that has none, with all fields 0 and no segment. */
  insert(low: number, high: number): number {
    const shard = high >>> (32 - SHARD_BITS);
    const count = ++this.#counts[shard]!;
    if (count * 4 > this.#tables[shard]!.length * 3) this.#grow(shard);
    const slot = this.#takeSlot();
    const words = this.#words[slot >>> CHUNK_BITS]!;
    const base = (slot & CHUNK_MASK) * ENTRY_WORDS;
    words.fill(0, base, base + ENTRY_WORDS);
    words[base] = low;
    words[base + 1] = high;
    words[base + 8] = NO_SEGMENT;
    words[base + 9] = USED;
    place(this.#tables[shard]!, low, slot);
    this.#size++;
    return slot;
  }

  /** Frees a slot. */
  remove(slot: number): void {
    const words = this.#words[slot >>> CHUNK_BITS]!;
    const base = (slot & CHUNK_MASK) * ENTRY_WORDS;
    const shard = words[base + 1]! >>> (32 - SHARD_BITS);
    const table = this.#tables[shard]!;
    const mask = table.length - 1;
    let hole = words[base]! & mask;
    while (table[hole] !== slot + 1) hole = (hole + 1) & mask;
    // Moves later entries of the run back, so that no markers of deletion pile up (Knuth 6.4, algorithm R).
    for (let at = (hole + 1) & mask; table[at] !== 0; at = (at + 1) & mask) {
      const home = this.hashLow(table[at]! - 1) & mask;
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        table[hole] = table[at]!;
        hole = at;
      }
    }
    table[hole] = 0;
    this.#counts[shard]!--;
    this.#size--;
    words[base] = this.#free + 1;
    words[base + 8] = NO_SEGMENT;
    words[base + 9] = 0;
    this.#free = slot;
  }

  /** Frees all slots. */
  clear(): void {
    this.#words.length = 0;
    this.#doubles.length = 0;
    this.#tables = Array.from(
      { length: 1 << SHARD_BITS },
      () => new Uint32Array(FIRST_TABLE_SIZE),
    );
    this.#counts.fill(0);
    this.#free = -1;
    this.#used = 0;
    this.#size = 0;
  }

  /** Whether a slot below {@linkcode EntryIndex.slots} holds an entry. */
  isUsed(slot: number): boolean {
    return (this.#word(slot, 9) & USED) !== 0;
  }

  hashLow(slot: number): number {
    return this.#word(slot, 0);
  }

  hashHigh(slot: number): number {
    return this.#word(slot, 1);
  }

  stamp(slot: number): number {
    return this.#doubles[slot >>> CHUNK_BITS]![(slot & CHUNK_MASK) * (ENTRY_WORDS / 2) + 1]!;
  }

  expires(slot: number): number {
    return this.#doubles[slot >>> CHUNK_BITS]![(slot & CHUNK_MASK) * (ENTRY_WORDS / 2) + 2]!;
  }

  offset(slot: number): number {
    return this.#word(slot, 6);
  }

  length(slot: number): number {
    return this.#word(slot, 7);
  }

  segment(slot: number): number {
    return this.#word(slot, 8) & 0xffff;
  }

  author(slot: number): number {
    return this.#word(slot, 8) >>> 16;
  }

  /** Seven bits of the catalog's. */
  flags(slot: number): number {
    return this.#word(slot, 9) & FLAGS_MASK;
  }

  /** Records of this key that are in segments, the newest and older ones. */
  records(slot: number): number {
    return this.#word(slot, 9) >>> RECORDS_SHIFT;
  }

  setOrder(slot: number, stamp: number, author: number): void {
    this.#doubles[slot >>> CHUNK_BITS]![(slot & CHUNK_MASK) * (ENTRY_WORDS / 2) + 1] = stamp;
    this.#setWord(slot, 8, this.#word(slot, 8) & 0xffff | author << 16);
  }

  setExpires(slot: number, expires: number): void {
    this.#doubles[slot >>> CHUNK_BITS]![(slot & CHUNK_MASK) * (ENTRY_WORDS / 2) + 2] = expires;
  }

  setPlace(slot: number, segment: number, offset: number): void {
    this.#setWord(slot, 6, offset);
    this.#setWord(slot, 8, this.#word(slot, 8) & 0xffff_0000 | segment);
  }

  setLength(slot: number, length: number): void {
    this.#setWord(slot, 7, length);
  }

  setFlags(slot: number, flags: number): void {
    this.#setWord(slot, 9, this.#word(slot, 9) & ~FLAGS_MASK | flags);
  }

  addRecords(slot: number, change: number): void {
    this.#setWord(slot, 9, this.#word(slot, 9) + (change << RECORDS_SHIFT));
  }

  #word(slot: number, field: number): number {
    return this.#words[slot >>> CHUNK_BITS]![(slot & CHUNK_MASK) * ENTRY_WORDS + field]!;
  }

  #setWord(slot: number, field: number, value: number): void {
    this.#words[slot >>> CHUNK_BITS]![(slot & CHUNK_MASK) * ENTRY_WORDS + field] = value;
  }

  #takeSlot(): number {
    if (this.#free >= 0) {
      const slot = this.#free;
      this.#free = this.hashLow(slot) - 1;
      return slot;
    }
    if (this.#used === this.#words.length * CHUNK_ENTRIES) {
      const words = new Uint32Array(CHUNK_ENTRIES * ENTRY_WORDS);
      this.#words.push(words);
      this.#doubles.push(new Float64Array(words.buffer));
    }
    return this.#used++;
  }

  #grow(shard: number): void {
    const old = this.#tables[shard]!;
    const table = new Uint32Array(old.length * 2);
    for (const entry of old) {
      if (entry !== 0) place(table, this.hashLow(entry - 1), entry - 1);
    }
    this.#tables[shard] = table;
  }
}

function place(table: Uint32Array, low: number, slot: number): void {
  const mask = table.length - 1;
  let at = low & mask;
  while (table[at] !== 0) at = (at + 1) & mask;
  table[at] = slot + 1;
}
