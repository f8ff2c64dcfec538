import { CHUNK_BYTES } from "./key_chunks.ts";
import {
  ROW_BYTES,
  type Successor,
  SuccessorRows,
  type TableRow,
  type Trail,
} from "./successor_rows.ts";

export { type Successor, type TableRow, Trail } from "./successor_rows.ts";

/** The shares of its limit that a table takes one after another, as it fills. */
const STEPS = [1 / 16, 1 / 4, 1];

/** What a key is expected to take before any is known, in chunks. */
const FIRST_CHUNKS = 3;

/** Keys may become so much longer than those that are known. */
const MARGIN = 1.05;

const MIN_ROWS = 64;
const MIN_BYTES = MIN_ROWS * (ROW_BYTES + FIRST_CHUNKS * CHUNK_BYTES);

/**
 * Learns which keys follow which, within bounded memory.
 *
 * Each key has a row with up to four successors: keys that came within the six
 * after it, with how often. A newcomer wears the weakest successor down before
 * it takes its place, as in Misra and Gries, "Finding Repeated Elements"
 * (1982); from farther away than two it only takes a free place, so that what
 * is near counts for more. Mining such pairs from the stream of misses follows
 * MITHRIL: Yang et al., "MITHRIL: Mining Sporadic Associations for Cache
 * Prefetching" (SoCC 2017). Rows lie in sets of eight; a new key takes the row
 * of the set that was visited the longest time ago.
 *
 * It begins small and grows twice, to four times its size, until it takes what
 * it may: by then it is known how long keys are, and so how many rows there is
 * room for. While it is copied, both are there.
 */
export class SuccessorTable {
  readonly #maxBytes: number;
  #step = 0;
  #rows: SuccessorRows;

  /** @param maxBytes what the table and its keys may take; a table of the least size takes 5 KB. */
  constructor(maxBytes: number) {
    this.#maxBytes = Math.max(MIN_BYTES, maxBytes);
    while (this.#bytesAt(this.#step) < MIN_BYTES) this.#step++;
    this.#rows = this.#made(FIRST_CHUNKS);
  }

  /** Rows that there is room for now. */
  get capacity(): number {
    return this.#rows.capacity;
  }

  /** Keys that have a row. */
  get size(): number {
    return this.#rows.size;
  }

  /** Bytes that the table and its keys take. */
  get bytes(): number {
    return this.#rows.bytes;
  }

  /** Takes note that a key was asked for after those of a trail. */
  learn(key: string, trail: Trail): void {
    this.#growFor(key);
    this.#rows.learn(key, trail);
  }

  /**
   * The keys that are likely to follow a key that was just {@linkcode SuccessorTable.learn}ed.
   *
   * @param minSupport how often a key must have followed.
   * @param minConfidence after which share of visits it must have.
   */
  successorsOf(key: string, minSupport: number, minConfidence: number): Successor[] {
    return this.#rows.successorsOf(key, minSupport, minConfidence);
  }

  /** Every key with its visits and successors, those visited longest ago first. */
  rows(): Generator<TableRow> {
    return this.#rows.rows();
  }

  /** Takes in rows of another table, as far as there is room; the last ones stay longest. */
  restore(rows: readonly TableRow[]): void {
    for (const row of rows) {
      this.#growFor(row.key);
      this.#rows.addRow(row);
    }
    for (const row of rows) this.#rows.addSuccessors(row);
  }

  #growFor(key: string): void {
    if (this.#step === STEPS.length - 1 || !this.#rows.isFullFor(key)) return;
    this.#step++;
    const { size, usedChunks } = this.#rows;
    const larger = this.#made(size === 0 ? FIRST_CHUNKS : usedChunks / size * MARGIN);
    larger.copy(this.#rows);
    this.#rows = larger;
  }

  /** Rows for keys of so many chunks. */
  #made(chunks: number): SuccessorRows {
    const bytes = this.#bytesAt(this.#step);
    const rows = Math.floor(bytes / (ROW_BYTES + chunks * CHUNK_BYTES));
    return new SuccessorRows(rows, Math.floor((bytes - rows * ROW_BYTES) / CHUNK_BYTES));
  }

  #bytesAt(step: number): number {
    return this.#maxBytes * STEPS[step]!;
  }
}
