import { keyHash } from "../eviction/key_hash.ts";
import { CHUNK_BYTES, KeyChunks } from "./key_chunks.ts";

/** Successors that a key may have. */
export const SUCCESSORS = 4;

/** Keys before a key that it is a successor of. */
export const WINDOW = 6;

/** Only a key that follows as close as this may push out others; a farther one takes a place that is free. */
const PUSHING_DISTANCE = 2;

/** Visits of a key are counted up to this; then all counts of the key are halved, so that old habits fade. */
const MAX_VISITS = 15;

/** Rows that one hash may lie in. */
const WAYS = 8;

/** Bytes of a row without its key: 12 for the key's numbers, 4 for each successor. */
export const ROW_BYTES: number = 12 + 4 * SUCCESSORS;

/** No single key takes more than this share of the chunks. */
const MAX_KEY_SHARE = 1 / 64;

/** As many as a successor has bits for. */
const MAX_ROWS = 1 << 20;

/*
 * A successor is one number: bits 0 to 19 its row, 20 to 27 that row's
 * generation when it was put there, 28 to 31 how often it followed; 0 for none.
 */
const ROW_MASK = MAX_ROWS - 1;
const GENERATION_SHIFT = 20;
const COUNT_SHIFT = 28;
const COUNT_UNIT = 2 ** COUNT_SHIFT;

/** Times are told apart as far as so many visits of each row back. */
const MEMORY = 64;

/** The keys that one stream of requests has last asked for, by their rows. */
export class Trail {
  /** Rows, the newest at `at - 1`. */
  readonly rows: Int32Array = new Int32Array(WINDOW).fill(-1);
  /** The rows' generations when they were put here. */
  readonly generations: Uint8Array = new Uint8Array(WINDOW);
  /** The place to be written next. */
  at = 0;
  /** Whose rows they are. */
  owner: SuccessorRows | undefined;
}

/** A key that is likely to follow, and how likely. */
export interface Successor {
  /** The key. */
  readonly key: string;
  /** The share of visits that it followed after, from 0 to 1. */
  readonly confidence: number;
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

/** The rows of a table, as many as there is room for from the start; see {@linkcode SuccessorTable}. */
export class SuccessorRows {
  /** Rows that there is room for. */
  readonly capacity: number;
  readonly #chunks: KeyChunks;
  readonly #hashes: Int32Array;
  /** The first chunk of each key, plus 1; 0 for a row that is free. */
  readonly #keys: Int32Array;
  readonly #visits: Uint8Array;
  readonly #generations: Uint8Array;
  /** In units of `2 ** #shift` visits of the table, as far as 16 bits go. */
  readonly #visitedAt: Uint16Array;
  readonly #successors: Uint32Array;
  readonly #shift: number;
  #size = 0;
  #visit = 0;
  #hand = 0;

  /**
   * @param capacity rows, at least 4.
   * @param chunks for their keys.
   */
  constructor(capacity: number, chunks: number) {
    const rows = Math.min(MAX_ROWS, Math.max(WAYS, capacity));
    this.capacity = rows - rows % WAYS;
    this.#chunks = new KeyChunks(chunks);
    this.#hashes = new Int32Array(this.capacity);
    this.#keys = new Int32Array(this.capacity);
    this.#visits = new Uint8Array(this.capacity);
    this.#generations = new Uint8Array(this.capacity);
    this.#visitedAt = new Uint16Array(this.capacity);
    this.#successors = new Uint32Array(this.capacity * SUCCESSORS);
    this.#shift = Math.max(0, Math.ceil(Math.log2(this.capacity * MEMORY / 0x1_0000)));
  }

  /** Keys that have a row. */
  get size(): number {
    return this.#size;
  }

  /** Bytes that the rows and their keys have for themselves. */
  get bytes(): number {
    return this.capacity * ROW_BYTES + this.#chunks.capacity * CHUNK_BYTES;
  }

  /** Chunks that the keys take. */
  get usedChunks(): number {
    return this.#chunks.used;
  }

  /** Whether keys begin to push out others: those that fall into one set do so before all rows are taken. */
  isFullFor(key: string): boolean {
    const { used, capacity } = this.#chunks;
    return this.#size >= this.capacity / 2 || used + KeyChunks.needed(key) > capacity;
  }

  /** Takes note that a key was asked for after those of a trail. */
  learn(key: string, trail: Trail): void {
    if (trail.owner !== this) {
      trail.rows.fill(-1);
      trail.owner = this;
    }
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

  /** As {@linkcode SuccessorTable.successorsOf}. */
  successorsOf(key: string, minSupport: number, minConfidence: number): Successor[] {
    const found: Successor[] = [];
    const row = this.#find(key, keyHash(key) | 0);
    if (row < 0) return found;
    // What follows the visit under way is not known yet.
    const visits = this.#visits[row]! - 1;
    for (let at = row * SUCCESSORS; at < (row + 1) * SUCCESSORS; at++) {
      const count = this.#count(at);
      if (count < minSupport || count < minConfidence * visits || !this.#isSame(at)) continue;
      found.push({ key: this.#keyOf(this.#target(at)), confidence: Math.min(1, count / visits) });
    }
    return found;
  }

  /** Every key with its visits and successors, those visited longest ago first. */
  *rows(): Generator<TableRow> {
    const order = Array.from({ length: this.capacity }, (_, row) => row)
      .filter((row) => this.#keys[row] !== 0)
      .sort((a, b) => this.#age(b) - this.#age(a));
    for (const row of order) {
      const successors: { key: string; count: number }[] = [];
      for (let at = row * SUCCESSORS; at < (row + 1) * SUCCESSORS; at++) {
        if (this.#count(at) === 0 || !this.#isSame(at)) continue;
        successors.push({ key: this.#keyOf(this.#target(at)), count: this.#count(at) });
      }
      yield { key: this.#keyOf(row), visits: this.#visits[row]!, successors };
    }
  }

  /** Makes a row for a key. @returns whether it has one. */
  addRow({ key, visits }: TableRow): boolean {
    const row = this.#rowFor(key);
    if (row < 0) return false;
    this.#visits[row] = Math.min(MAX_VISITS, visits);
    this.#visit++;
    this.#visitedAt[row] = this.#now();
    return true;
  }

  /** Gives a key that has a row its successors, as far as they have one. */
  addSuccessors({ key, successors }: TableRow): void {
    const row = this.#find(key, keyHash(key) | 0);
    if (row < 0) return;
    this.#successors.fill(0, row * SUCCESSORS, (row + 1) * SUCCESSORS);
    successors.slice(0, SUCCESSORS).forEach((successor, place) => {
      const target = this.#find(successor.key, keyHash(successor.key) | 0);
      if (target < 0 || target === row || successor.count === 0) return;
      this.#put(row * SUCCESSORS + place, target, Math.min(MAX_VISITS, successor.count));
    });
  }

  /** Takes in all rows of a smaller table, with their ages. */
  copy(from: SuccessorRows): void {
    this.#visit = from.#visit;
    const places = new Int32Array(from.capacity).fill(-1);
    for (let row = 0; row < from.capacity; row++) {
      if (from.#keys[row] === 0) continue;
      const copied = this.#rowFor(from.#keyOf(row));
      places[row] = copied;
      if (copied < 0) continue;
      this.#visits[copied] = from.#visits[row]!;
      this.#visitedAt[copied] = (this.#visit - (from.#age(row) << from.#shift)) >>> this.#shift;
    }
    for (let row = 0; row < from.capacity; row++) {
      const copied = places[row]!;
      if (copied < 0) continue;
      for (let place = 0; place < SUCCESSORS; place++) {
        const at = row * SUCCESSORS + place;
        if (from.#count(at) === 0 || !from.#isSame(at)) continue;
        const target = places[from.#target(at)]!;
        if (target >= 0) this.#put(copied * SUCCESSORS + place, target, from.#count(at));
      }
    }
  }

  /** Counts a row as the successor of another. */
  #follow(before: number, row: number, distance: number): void {
    const start = before * SUCCESSORS;
    let weakest = start;
    let least = Infinity;
    for (let at = start; at < start + SUCCESSORS; at++) {
      let count = this.#count(at);
      if (count > 0 && this.#isSame(at)) {
        if (this.#target(at) === row) {
          // No more often than the key itself was visited: one that comes twice in a window counts once.
          if (count < this.#visits[before]!) this.#successors[at]! += COUNT_UNIT;
          return;
        }
      } else {
        count = 0;
      }
      if (count < least) {
        least = count;
        weakest = at;
      }
    }
    if (least === 0) this.#put(weakest, row, 1);
    else if (distance <= PUSHING_DISTANCE) {
      if (least === 1) this.#put(weakest, row, 1);
      else this.#successors[weakest]! -= COUNT_UNIT;
    }
  }

  #put(at: number, row: number, count: number): void {
    this.#successors[at] = count * COUNT_UNIT + (this.#generations[row]! << GENERATION_SHIFT | row);
  }

  #count(at: number): number {
    return this.#successors[at]! >>> COUNT_SHIFT;
  }

  #target(at: number): number {
    return this.#successors[at]! & ROW_MASK;
  }

  /** Whether the row that a successor stands for still is of the key that it was put there for. */
  #isSame(at: number): boolean {
    const generation = this.#successors[at]! >>> GENERATION_SHIFT & 0xff;
    return generation === this.#generations[this.#target(at)];
  }

  #visited(row: number): void {
    this.#visit++;
    this.#visitedAt[row] = this.#now();
    if (this.#visits[row]! >= MAX_VISITS) {
      this.#visits[row] = this.#visits[row]! >> 1;
      for (let at = row * SUCCESSORS; at < (row + 1) * SUCCESSORS; at++) {
        const successor = this.#successors[at]!;
        const count = successor >>> COUNT_SHIFT;
        this.#successors[at] = successor - (count - (count >> 1)) * COUNT_UNIT;
      }
    }
    this.#visits[row] = this.#visits[row]! + 1;
  }

  #keyOf(row: number): string {
    return this.#chunks.read(this.#keys[row]! - 1);
  }

  /** The row of a key, made if it has none; -1 for a key that is too long. */
  #rowFor(key: string): number {
    const hash = keyHash(key) | 0;
    const found = this.#find(key, hash);
    if (found >= 0) return found;
    const chunks = this.#chunks;
    const needed = KeyChunks.needed(key);
    if (needed > Math.max(8, chunks.capacity * MAX_KEY_SHARE)) return -1;
    const start = this.#setOf(hash);
    let row = start;
    for (let at = start; at < start + WAYS; at++) {
      if (this.#keys[at] === 0) {
        row = at;
        break;
      }
      if (this.#age(at) > this.#age(row)) row = at;
    }
    if (this.#keys[row] !== 0) this.#drop(row);
    while (chunks.used + needed > chunks.capacity) this.#dropNext();
    this.#keys[row] = chunks.add(key) + 1;
    this.#hashes[row] = hash;
    this.#visit++;
    this.#visitedAt[row] = this.#now();
    this.#size++;
    return row;
  }

  #find(key: string, hash: number): number {
    const start = this.#setOf(hash);
    for (let row = start; row < start + WAYS; row++) {
      if (this.#hashes[row] !== hash || this.#keys[row] === 0) continue;
      if (this.#chunks.equals(this.#keys[row]! - 1, key)) return row;
    }
    return -1;
  }

  #setOf(hash: number): number {
    // Fibonacci hashing: FNV's upper bits alone are poor for keys that differ at their end.
    const mixed = Math.imul(hash ^ (hash >>> 15), 0x9e3779b1) >>> 0;
    return Math.floor(mixed / 0x1_0000_0000 * (this.capacity / WAYS)) * WAYS;
  }

  /** The time, as rows keep it. */
  #now(): number {
    return this.#visit >>> this.#shift & 0xffff;
  }

  #age(row: number): number {
    return (this.#now() - this.#visitedAt[row]!) & 0xffff;
  }

  /** Drops the next row in turn: those of the older half are met soon. */
  #dropNext(): void {
    const old = (this.#size >> 1) >>> this.#shift;
    for (let tries = 0;; this.#hand = (this.#hand + 1) % this.capacity) {
      if (this.#keys[this.#hand] === 0) continue;
      if (this.#age(this.#hand) >= old || ++tries > WAYS) break;
    }
    this.#drop(this.#hand);
  }

  #drop(row: number): void {
    this.#chunks.remove(this.#keys[row]! - 1);
    this.#size--;
    this.#keys[row] = 0;
    this.#visits[row] = 0;
    this.#generations[row] = this.#generations[row]! + 1;
    this.#successors.fill(0, row * SUCCESSORS, (row + 1) * SUCCESSORS);
  }
}
