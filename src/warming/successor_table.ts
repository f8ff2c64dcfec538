import { keyHash } from "../eviction/key_hash.ts";
import { sizeOf } from "../size_of.ts";

/** Successors that a key may have. */
export const SUCCESSORS = 4;

/** Keys before a key that it is a successor of. */
export const WINDOW = 6;

/** Only a key that follows as close as this may push out others; a farther one takes a place that is free. */
const PUSHING_DISTANCE = 2;

/** Visits of a key are counted up to this; then all counts of the key are halved, so that old habits fade. */
const MAX_VISITS = 15;

/** Rows that one hash may lie in. */
const WAYS = 4;

/** Bytes of a row without its key: 8 for the reference, 10 for the key's numbers, 6 for each successor. */
export const ROW_BYTES = 18 + 6 * SUCCESSORS;

/** What a key is expected to take, for the number of rows. */
const TYPICAL_KEY_BYTES = 58;

/** No single key takes more than this share of the bytes that are for keys. */
const MAX_KEY_SHARE = 1 / 64;

const MIN_ROWS = 64;
const MAX_ROWS = 1 << 22;

/** The keys that one stream of requests has last asked for, by their rows. */
export class Trail {
  /** Rows, the newest at `at - 1`. */
  readonly rows: Int32Array = new Int32Array(WINDOW).fill(-1);
  /** The rows' generations when they were put here. */
  readonly generations: Uint8Array = new Uint8Array(WINDOW);
  /** The place to be written next. */
  at = 0;
}

/** A key that is likely to follow, and how likely. */
export interface Successor {
  /** The key. */
  readonly key: string;
  /** The share of visits that it followed after, from 0 to 1. */
  readonly confidence: number;
}

/**
 * Learns which keys follow which, within bounded memory.
 *
 * Each key has a row with up to four successors: keys that came within the six
 * after it, with how often. A newcomer wears the weakest successor down before
 * it takes its place, as in Misra and Gries, "Finding Repeated Elements"
 * (1982); from farther away than two it only takes a free place, so that what
 * is near counts for more. Mining such pairs from the stream of misses follows
 * MITHRIL: Yang et al., "MITHRIL: Mining Sporadic Associations for Cache
 * Prefetching" (SoCC 2017). Rows lie in sets of four; a new key takes the row
 * of the set that was visited the longest time ago.
 */
export class SuccessorTable {
  /** Rows that there is room for. */
  readonly capacity: number;
  readonly #maxKeyBytes: number;
  readonly #keys: (string | undefined)[];
  readonly #hashes: Int32Array;
  readonly #visits: Uint8Array;
  readonly #generations: Uint8Array;
  readonly #visitedAt: Uint32Array;
  readonly #successors: Int32Array;
  readonly #successorGenerations: Uint8Array;
  readonly #counts: Uint8Array;
  #size = 0;
  #keyBytes = 0;
  #visit = 0;
  #hand = 0;

  /** @param maxBytes what the table and its keys may take; a table of the least size takes some 6 KB. */
  constructor(maxBytes: number) {
    const rows = Math.floor(maxBytes / (ROW_BYTES + TYPICAL_KEY_BYTES));
    const capacity = Math.min(MAX_ROWS, Math.max(MIN_ROWS, rows));
    this.capacity = capacity - capacity % WAYS;
    this.#maxKeyBytes = Math.max(
      MIN_ROWS * TYPICAL_KEY_BYTES,
      maxBytes - this.capacity * ROW_BYTES,
    );
    this.#keys = new Array<string | undefined>(this.capacity).fill(undefined);
    this.#hashes = new Int32Array(this.capacity);
    this.#visits = new Uint8Array(this.capacity);
    this.#generations = new Uint8Array(this.capacity);
    this.#visitedAt = new Uint32Array(this.capacity);
    this.#successors = new Int32Array(this.capacity * SUCCESSORS);
    this.#successorGenerations = new Uint8Array(this.capacity * SUCCESSORS);
    this.#counts = new Uint8Array(this.capacity * SUCCESSORS);
  }

  /** Keys that have a row. */
  get size(): number {
    return this.#size;
  }

  /** Bytes that the table and its keys take. */
  get bytes(): number {
    return this.capacity * ROW_BYTES + this.#keyBytes;
  }

  /** Takes note that a key was asked for after those of a trail. */
  learn(key: string, trail: Trail): void {
    const row = this.#rowFor(key);
    const { rows, generations, at } = trail;
    if (row >= 0) {
      for (let distance = 1; distance <= WINDOW; distance++) {
        const place = (at - distance + WINDOW) % WINDOW;
        const before = rows[place]!;
        if (before < 0 || before === row || generations[place] !== this.#generations[before]) {
          continue;
        }
        this.#follow(before, row, distance);
      }
      this.#visited(row);
      generations[at] = this.#generations[row]!;
    }
    rows[at] = row;
    trail.at = (at + 1) % WINDOW;
  }

  /**
   * The keys that are likely to follow a key that was just {@linkcode SuccessorTable.learn}ed.
   *
   * @param minSupport how often a key must have followed.
   * @param minConfidence after which share of visits it must have.
   */
  successorsOf(key: string, minSupport: number, minConfidence: number): Successor[] {
    const found: Successor[] = [];
    const row = this.#find(key, keyHash(key) | 0);
    if (row < 0) return found;
    // What follows the visit under way is not known yet.
    const visits = this.#visits[row]! - 1;
    for (let at = row * SUCCESSORS; at < (row + 1) * SUCCESSORS; at++) {
      const count = this.#counts[at]!;
      if (count < minSupport || count < minConfidence * visits || !this.#isSame(at)) continue;
      found.push({
        key: this.#keys[this.#successors[at]!]!,
        confidence: Math.min(1, count / visits),
      });
    }
    return found;
  }

  /** Forgets everything. */
  clear(): void {
    for (let row = 0; row < this.capacity; row++) {
      if (this.#keys[row] !== undefined) this.#drop(row);
    }
  }

  /** Every key with its visits and successors, those visited longest ago first. */
  *rows(): Generator<TableRow> {
    const order = Array.from({ length: this.capacity }, (_, row) => row)
      .filter((row) => this.#keys[row] !== undefined)
      .sort((a, b) => this.#age(b) - this.#age(a));
    for (const row of order) {
      const successors: { key: string; count: number }[] = [];
      for (let at = row * SUCCESSORS; at < (row + 1) * SUCCESSORS; at++) {
        if (this.#counts[at] === 0 || !this.#isSame(at)) continue;
        successors.push({ key: this.#keys[this.#successors[at]!]!, count: this.#counts[at]! });
      }
      yield { key: this.#keys[row]!, visits: this.#visits[row]!, successors };
    }
  }

  /** Takes in rows of another table, as far as there is room; the last ones stay longest. */
  restore(rows: readonly TableRow[]): void {
    for (const { key, visits } of rows) {
      const row = this.#rowFor(key);
      if (row < 0) continue;
      this.#visits[row] = Math.min(MAX_VISITS, visits);
      this.#visitedAt[row] = ++this.#visit;
    }
    for (const { key, successors } of rows) {
      const row = this.#find(key, keyHash(key) | 0);
      if (row < 0) continue;
      this.#counts.fill(0, row * SUCCESSORS, (row + 1) * SUCCESSORS);
      successors.slice(0, SUCCESSORS).forEach((successor, place) => {
        const target = this.#find(successor.key, keyHash(successor.key) | 0);
        if (target < 0 || target === row) return;
        this.#put(row * SUCCESSORS + place, target, Math.min(MAX_VISITS, successor.count));
      });
    }
  }

  /** Counts a row as the successor of another. */
  #follow(before: number, row: number, distance: number): void {
    const counts = this.#counts;
    const start = before * SUCCESSORS;
    let weakest = start;
    for (let at = start; at < start + SUCCESSORS; at++) {
      const isTaken = counts[at]! > 0 && this.#isSame(at);
      if (isTaken && this.#successors[at] === row) {
        // No more often than the key itself was visited: one that comes twice in a window counts once.
        if (counts[at]! < this.#visits[before]!) counts[at] = counts[at]! + 1;
        return;
      }
      if (!isTaken) counts[at] = 0;
      if (counts[at]! < counts[weakest]!) weakest = at;
    }
    if (counts[weakest] === 0) this.#put(weakest, row, 1);
    else if (distance <= PUSHING_DISTANCE) {
      counts[weakest] = counts[weakest]! - 1;
      if (counts[weakest] === 0) this.#put(weakest, row, 1);
    }
  }

  #put(at: number, row: number, count: number): void {
    this.#successors[at] = row;
    this.#successorGenerations[at] = this.#generations[row]!;
    this.#counts[at] = count;
  }

  #visited(row: number): void {
    this.#visitedAt[row] = ++this.#visit;
    if (this.#visits[row]! >= MAX_VISITS) {
      this.#visits[row] = this.#visits[row]! >> 1;
      for (let at = row * SUCCESSORS; at < (row + 1) * SUCCESSORS; at++) {
        this.#counts[at] = this.#counts[at]! >> 1;
      }
    }
    this.#visits[row] = this.#visits[row]! + 1;
  }

  /** Whether the row that a successor stands for still is of the key that it was put there for. */
  #isSame(at: number): boolean {
    return this.#successorGenerations[at] === this.#generations[this.#successors[at]!];
  }

  /** The row of a key, made if it has none; -1 for a key that is too long. */
  #rowFor(key: string): number {
    const hash = keyHash(key) | 0;
    const found = this.#find(key, hash);
    if (found >= 0) return found;
    const bytes = sizeOf(key);
    if (bytes > this.#maxKeyBytes * MAX_KEY_SHARE && bytes > TYPICAL_KEY_BYTES) return -1;
    const start = this.#setOf(hash);
    let row = start;
    for (let at = start; at < start + WAYS; at++) {
      if (this.#keys[at] === undefined) {
        row = at;
        break;
      }
      if (this.#age(at) > this.#age(row)) row = at;
    }
    if (this.#keys[row] !== undefined) this.#drop(row);
    while (this.#keyBytes + bytes > this.#maxKeyBytes) this.#dropNext();
    this.#keys[row] = key;
    this.#hashes[row] = hash;
    this.#visitedAt[row] = ++this.#visit;
    this.#keyBytes += bytes;
    this.#size++;
    return row;
  }

  #find(key: string, hash: number): number {
    const start = this.#setOf(hash);
    for (let row = start; row < start + WAYS; row++) {
      if (this.#hashes[row] === hash && this.#keys[row] === key) return row;
    }
    return -1;
  }

  #setOf(hash: number): number {
    // Fibonacci hashing: FNV's upper bits alone are poor for keys that differ at their end.
    const mixed = Math.imul(hash ^ (hash >>> 15), 0x9e3779b1) >>> 0;
    return Math.floor(mixed / 0x1_0000_0000 * (this.capacity / WAYS)) * WAYS;
  }

  #age(row: number): number {
    return (this.#visit - this.#visitedAt[row]!) >>> 0;
  }

  /** Drops the next row in turn: those of the older half are met soon. */
  #dropNext(): void {
    for (let tries = 0;; this.#hand = (this.#hand + 1) % this.capacity) {
      if (this.#keys[this.#hand] === undefined) continue;
      if (this.#age(this.#hand) >= this.#size >> 1 || ++tries > WAYS) break;
    }
    this.#drop(this.#hand);
  }

  #drop(row: number): void {
    this.#keyBytes -= sizeOf(this.#keys[row]!);
    this.#size--;
    this.#keys[row] = undefined;
    this.#visits[row] = 0;
    this.#generations[row] = this.#generations[row]! + 1;
    this.#counts.fill(0, row * SUCCESSORS, (row + 1) * SUCCESSORS);
  }
}

/** What a table knows of one key. */
export interface TableRow {
  /** The key. */
  readonly key: string;
  /** How often it was asked for, halved now and then. */
  readonly visits: number;
  /** What followed, and how often. */
  readonly successors: readonly { readonly key: string; readonly count: number }[];
}
