import type { EvictionPolicy } from "../../src/types.ts";
import { DIGEST_BYTES, SHARDS } from "./names.ts";

/** Slots and places of the table to begin with; both double. */
const FIRST_CAPACITY = 64;

/** What nearly all file systems hand out at once. */
const PAGE_BYTES = 4096;

/** The unit in which systems tell what a file takes on the disk. */
const BLOCK_BYTES = 512;

/** The file has not been synced since it was written. */
const UNSYNCED = 1;

/** The policy has given the slot as a victim and knows it no more. */
const LEAVING = 2;

/** A place of the table without a slot. */
const EMPTY = 0;

/** How large a file is. */
export interface FileSize {
  /** Its length in bytes. */
  readonly size: number;
  /** Blocks of 512 bytes that it takes; when absent, as many as pages of 4 KiB need. */
  readonly blocks?: number | undefined;
}

/** Bytes that a file of so many takes on a disk with pages of 4 KiB. */
export function bytesOnDisk(size: number): number {
  return Math.ceil(size / PAGE_BYTES) * PAGE_BYTES;
}

/**
 * What is known of the files in the directory: digest, length, bytes on the
 * disk and end of each, 73 bytes an entry in typed arrays. The directory is the truth;
 * this is what the limit and the eviction policy work on.
 *
 * While the directory is being read for the first time, entries come in no
 * order that means anything: their times are kept, and the policy learns of
 * them all at once, oldest first, in {@linkcode FileIndex.order}.
 */
export class FileIndex {
  readonly #policy: EvictionPolicy | undefined;
  #digests = new Uint8Array(FIRST_CAPACITY * DIGEST_BYTES);
  #lengths = new Float64Array(FIRST_CAPACITY);
  #blocks = new Uint32Array(FIRST_CAPACITY);
  #expiresAt = new Float64Array(FIRST_CAPACITY);
  #stamps = new Float64Array(FIRST_CAPACITY);
  #flags = new Uint8Array(FIRST_CAPACITY);
  /** Open addressing with linear probing; holds slot + 1. */
  #table = new Uint32Array(FIRST_CAPACITY * 2);
  #freed: number[] = [];
  #end = 0;
  #count = 0;
  #totalBytes = 0;
  #stamp = 0;
  #times: Float64Array | undefined = new Float64Array(FIRST_CAPACITY);
  readonly #shardCounts = new Uint32Array(SHARDS);
  readonly #lastDrops = new Float64Array(SHARDS);

  /** @param policy `undefined` where nothing is ever evicted. */
  constructor(policy: EvictionPolicy | undefined) {
    this.#policy = policy;
  }

  /** Entries known. */
  get count(): number {
    return this.#count;
  }

  /** Their bytes on the disk. */
  get bytes(): number {
    return this.#totalBytes;
  }

  /** A number that grows with every change. */
  get stamp(): number {
    return this.#stamp;
  }

  /** Entries known in one shard. */
  countIn(shard: number): number {
    return this.#shardCounts[shard]!;
  }

  /**
   * Whether a file of the shard was forgotten since a {@linkcode FileIndex.stamp}:
   * what was seen of the shard at that time may be gone.
   */
  droppedSince(shard: number, stamp: number): boolean {
    return this.#lastDrops[shard]! > stamp;
  }

  /** The slot of a digest, or -1. */
  find(digest: Uint8Array): number {
    const mask = this.#table.length - 1;
    for (let at = placeOf(digest) & mask;; at = (at + 1) & mask) {
      const slot = this.#table[at]! - 1;
      if (slot < 0) return -1;
      if (this.#holds(slot, digest)) return slot;
    }
  }

  /**
   * Notes a file, new or in the place of an older one.
   *
   * @param size its length, and its blocks where they are known.
   * @param expiresAt NaN when that is not known.
   * @param time of the last use, for the first order; for what is used now, `Infinity`.
   */
  put(digest: Uint8Array, size: FileSize, expiresAt: number, time: number): number {
    const blocks = blocksOf(size);
    const bytes = blocks * BLOCK_BYTES;
    let slot = this.find(digest);
    if (slot < 0) {
      slot = this.#allocate(digest);
      this.#totalBytes += bytes;
      if (this.#times === undefined) this.#policy?.add(slot, bytes, hashOf(digest));
    } else {
      this.#totalBytes += bytes - this.bytesOf(slot);
      if (this.#times === undefined) {
        if (this.isLeaving(slot)) {
          this.#policy?.add(slot, bytes, hashOf(digest));
        } else {
          this.#policy?.reweigh(slot, bytes);
          this.#policy?.touch(slot);
        }
      }
      this.#flags[slot] = 0;
    }
    if (this.#times !== undefined) this.#times[slot] = time;
    this.#lengths[slot] = size.size;
    this.#blocks[slot] = blocks;
    this.#expiresAt[slot] = expiresAt;
    this.#stamps[slot] = ++this.#stamp;
    return slot;
  }

  /** Counts a use. */
  touch(slot: number): void {
    if (this.#times !== undefined) this.#times[slot] = Infinity;
    else if (!this.isLeaving(slot)) this.#policy?.touch(slot);
  }

  /** Sets what was not known when the file was seen. */
  setExpiry(slot: number, expiresAt: number): void {
    this.#expiresAt[slot] = expiresAt;
  }

  /** Forgets a file. */
  drop(slot: number): void {
    if (this.#times === undefined && !this.isLeaving(slot)) this.#policy?.remove(slot);
    this.#release(slot);
  }

  /** The slot that is to leave next, or -1. It is known until it is dropped, and no victim twice. */
  victim(): number {
    if (this.#times !== undefined) return -1;
    const slot = this.#policy?.evict() ?? -1;
    if (slot >= 0) this.#flags[slot]! |= LEAVING;
    return slot;
  }

  /** Whether the slot is a victim. */
  isLeaving(slot: number): boolean {
    return (this.#flags[slot]! & LEAVING) !== 0;
  }

  /** Takes back a victim that is not to leave after all. */
  spare(slot: number): void {
    this.#flags[slot]! &= ~LEAVING;
    this.#policy?.add(slot, this.bytesOf(slot), hashOf(this.digest(slot)));
  }

  /** Tells the policy of all that came in so far, oldest first. From now on it hears of each at once. */
  order(): void {
    const times = this.#times;
    if (times === undefined) return;
    this.#times = undefined;
    if (this.#policy === undefined) return;
    const slots = this.slots();
    // A sort of plain numbers is ten times faster than one that compares: time
    // in front, slot behind it, as far as 53 bits reach.
    const width = 2 ** Math.ceil(Math.log2(Math.max(2, this.#end)));
    const scale = Math.max(1, 2 ** 42 * width / 2 ** 53);
    const sorted = Float64Array.from(slots, (slot) => {
      const time = Math.min(2 ** 42 - 1, Math.max(0, times[slot]!));
      return Math.floor(time / scale) * width + slot;
    }).sort();
    for (const packed of sorted) {
      const slot = packed % width;
      this.#policy.add(slot, this.bytesOf(slot), hashOf(this.digest(slot)));
    }
  }

  /** All slots in use, or those of one shard. */
  slots(shard?: number): number[] {
    const slots: number[] = [];
    for (const entry of this.#table) {
      if (entry === EMPTY) continue;
      if (shard === undefined || this.#digests[(entry - 1) * DIGEST_BYTES] === shard) {
        slots.push(entry - 1);
      }
    }
    return slots;
  }

  /** The digest of a slot, as a copy. */
  digest(slot: number): Uint8Array {
    return this.#digests.slice(slot * DIGEST_BYTES, (slot + 1) * DIGEST_BYTES);
  }

  /** Bytes on the disk. */
  bytesOf(slot: number): number {
    return this.#blocks[slot]! * BLOCK_BYTES;
  }

  /** Length of the file. */
  lengthOf(slot: number): number {
    return this.#lengths[slot]!;
  }

  /** When the entry is over, NaN when that is not known. */
  expiresAt(slot: number): number {
    return this.#expiresAt[slot]!;
  }

  /** {@linkcode FileIndex.stamp} as it was when the slot was last written. */
  stampOf(slot: number): number {
    return this.#stamps[slot]!;
  }

  /** Whether the file has not been synced since it was written. */
  isUnsynced(slot: number): boolean {
    return (this.#flags[slot]! & UNSYNCED) !== 0;
  }

  /** Notes whether the file has been synced. */
  setUnsynced(slot: number, unsynced: boolean): void {
    if (unsynced) this.#flags[slot]! |= UNSYNCED;
    else this.#flags[slot]! &= ~UNSYNCED;
  }

  #holds(slot: number, digest: Uint8Array): boolean {
    const start = slot * DIGEST_BYTES;
    for (let at = 0; at < DIGEST_BYTES; at++) {
      if (this.#digests[start + at] !== digest[at]) return false;
    }
    return true;
  }

  #allocate(digest: Uint8Array): number {
    if ((this.#count + 1) * 2 > this.#table.length) this.#grow();
    const slot = this.#freed.pop() ?? this.#end++;
    this.#digests.set(digest, slot * DIGEST_BYTES);
    this.#flags[slot] = 0;
    this.#insert(slot);
    this.#count++;
    this.#shardCounts[digest[0]!]!++;
    return slot;
  }

  #insert(slot: number): void {
    const mask = this.#table.length - 1;
    let at = this.#placeOfSlot(slot) & mask;
    while (this.#table[at] !== EMPTY) at = (at + 1) & mask;
    this.#table[at] = slot + 1;
  }

  #release(slot: number): void {
    const mask = this.#table.length - 1;
    let at = this.#placeOfSlot(slot) & mask;
    while (this.#table[at] !== slot + 1) at = (at + 1) & mask;
    this.#closeGap(at, mask);
    this.#freed.push(slot);
    this.#count--;
    this.#totalBytes -= this.bytesOf(slot);
    const shard = this.#digests[slot * DIGEST_BYTES]!;
    this.#shardCounts[shard]!--;
    this.#lastDrops[shard] = ++this.#stamp;
  }

  /** Moves up what a probe would no longer reach (Knuth, volume 3, 6.4, algorithm R). */
  #closeGap(gap: number, mask: number): void {
    for (let at = (gap + 1) & mask;; at = (at + 1) & mask) {
      const entry = this.#table[at]!;
      if (entry === EMPTY) break;
      const home = this.#placeOfSlot(entry - 1) & mask;
      if (((at - home) & mask) >= ((at - gap) & mask)) {
        this.#table[gap] = entry;
        gap = at;
      }
    }
    this.#table[gap] = EMPTY;
  }

  #placeOfSlot(slot: number): number {
    const at = slot * DIGEST_BYTES;
    return placeOf(this.#digests.subarray(at, at + 5));
  }

  #grow(): void {
    const capacity = this.#table.length;
    this.#digests = copyInto(new Uint8Array(capacity * DIGEST_BYTES), this.#digests);
    this.#lengths = copyInto(new Float64Array(capacity), this.#lengths);
    this.#blocks = copyInto(new Uint32Array(capacity), this.#blocks);
    this.#expiresAt = copyInto(new Float64Array(capacity), this.#expiresAt);
    this.#stamps = copyInto(new Float64Array(capacity), this.#stamps);
    this.#flags = copyInto(new Uint8Array(capacity), this.#flags);
    if (this.#times !== undefined) this.#times = copyInto(new Float64Array(capacity), this.#times);
    const slots = this.slots();
    this.#table = new Uint32Array(capacity * 2);
    for (const slot of slots) this.#insert(slot);
  }
}

function copyInto<T extends Uint8Array | Uint32Array | Float64Array>(larger: T, array: T): T {
  larger.set(array);
  return larger;
}

/** Some systems tell no blocks, or none for a file that is still on its way to the disk. */
function blocksOf({ size, blocks }: FileSize): number {
  return blocks === undefined || blocks === 0 ? bytesOnDisk(size) / BLOCK_BYTES : blocks;
}

/** The first byte names the shard, so the place in the table is made of the next four. */
function placeOf(digest: Uint8Array): number {
  return digest[1]! | digest[2]! << 8 | digest[3]! << 16 | digest[4]! << 24;
}

/** The 32 bits by which the policy knows a key. */
function hashOf(digest: Uint8Array): number {
  return (digest[5]! | digest[6]! << 8 | digest[7]! << 16 | digest[8]! << 24) >>> 0;
}
