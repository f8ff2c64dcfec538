import { spread } from "./_spread.ts";

/** Places that one hash may take, in 32 bytes beside each other. */
const WAYS = 8;

/** Places for each hash to be remembered; at this load few are pushed out before their time. */
const PLACES_PER_HASH = 1.5;

const FIRST_CAPACITY = 64;
const GROWTH = 1.25;

/**
 * Remembers hashes of what has left, the last so many of them, in 12 to 15 bytes each.
 *
 * Hashes lie in buckets beside the number of their arrival, so that age is told
 * without a queue, as the S3-FIFO paper proposes. A full bucket gives up its
 * oldest hash before its time, and two keys may share a hash: memory of the
 * departed is a hint, never a fact.
 */
export class Ghost {
  #capacity = 0;
  #buckets = 0;
  #hashes = new Int32Array(0);
  #arrivals = new Int32Array(0);
  /** The place of each bucket to be written next. */
  #cursors = new Uint8Array(0);
  /** Counts arrivals, modulo 2^32. */
  #arrived = 0;

  /**
   * Remembers a hash.
   *
   * @param capacity how many of the last hashes are to be remembered from now on.
   */
  add(hash: number, capacity: number): void {
    if (capacity > this.#capacity) this.#grow(capacity);
    this.#arrived = (this.#arrived + 1) | 0;
    this.#put(spread(hash), this.#arrived);
  }

  /**
   * Forgets a hash.
   *
   * @returns whether it was among the last `capacity` ones.
   */
  take(hash: number, capacity: number): boolean {
    if (this.#buckets === 0) return false;
    const hashes = this.#hashes;
    const mixed = spread(hash);
    const start = this.#bucket(mixed) * WAYS;
    for (let at = start; at < start + WAYS; at++) {
      if (hashes[at] === mixed && this.#age(this.#arrivals[at]!) < capacity) {
        this.#arrivals[at] = this.#longAgo();
        return true;
      }
    }
    return false;
  }

  /** Forgets all hashes. */
  clear(): void {
    this.#capacity = 0;
    this.#buckets = 0;
    this.#hashes = new Int32Array(0);
    this.#arrivals = new Int32Array(0);
    this.#cursors = new Uint8Array(0);
  }

  #put(mixed: number, arrival: number): void {
    const bucket = this.#bucket(mixed);
    const way = this.#cursors[bucket]!;
    this.#cursors[bucket] = (way + 1) % WAYS;
    this.#hashes[bucket * WAYS + way] = mixed;
    this.#arrivals[bucket * WAYS + way] = arrival;
  }

  /** The upper bits choose, without a division. */
  #bucket(mixed: number): number {
    return Math.floor((mixed >>> 0) / 0x1_0000_0000 * this.#buckets);
  }

  #age(arrival: number): number {
    return (this.#arrived - arrival) >>> 0;
  }

  /** An arrival older than any capacity. */
  #longAgo(): number {
    return (this.#arrived - 0x8000_0000) | 0;
  }

  #grow(needed: number): void {
    const hashes = this.#hashes;
    const arrivals = this.#arrivals;
    const previous = this.#capacity;
    this.#capacity = Math.max(FIRST_CAPACITY, needed, Math.ceil(previous * GROWTH));
    this.#buckets = Math.ceil(this.#capacity * PLACES_PER_HASH / WAYS);
    this.#hashes = new Int32Array(this.#buckets * WAYS);
    this.#arrivals = new Int32Array(this.#buckets * WAYS).fill(this.#longAgo());
    this.#cursors = new Uint8Array(this.#buckets);
    for (let at = 0; at < hashes.length; at++) {
      if (this.#age(arrivals[at]!) < previous) this.#put(hashes[at]!, arrivals[at]!);
    }
  }
}
