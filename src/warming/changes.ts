import { keyHash } from "../eviction/key_hash.ts";
import type { ChangeList } from "./snapshot_files.ts";

/** Told of every change of a key, before it is made. */
export interface ChangeWatcher {
  /** A key is about to be written or deleted. */
  changed(key: string): void;
  /** Keys are about to be cleared. */
  cleared(matches: (key: string) => boolean): void;
  /** A tag is about to be dropped. */
  tagDropped(tag: string): void;
}

/** Stands for every key. */
const ALL = 0xffff_ffff;

/**
 * Notes which of the entries of one snapshot are not what they were any more.
 * A note is the hash of a key: of two keys that have the same one, both count
 * as changed.
 */
export class Changes implements ChangeWatcher {
  readonly #list: ChangeList;
  readonly #onFailure: (error: unknown) => void;
  readonly #held = new Map<string, readonly string[]>();
  readonly #noted = new Set<number>();
  #isMade = false;
  #isOver = false;

  /** @param onFailure told once, when a change could not be noted. */
  constructor(list: ChangeList, onFailure: (error: unknown) => void) {
    this.#list = list;
    this.#onFailure = onFailure;
  }

  /** Whether changes are noted no longer. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The snapshot has an entry. */
  hold(key: string, tags: readonly string[]): void {
    this.#held.set(key, tags);
  }

  /** The snapshot has all of its entries. Until then a change may be of one that it is about to get. */
  made(): void {
    this.#isMade = true;
    this.#noted.clear();
  }

  /** The snapshot counts no longer. */
  close(): void {
    this.#isOver = true;
    this.#held.clear();
    this.#list.close();
  }

  changed(key: string): void {
    const isHeld = this.#held.delete(key);
    if (this.#isMade && !isHeld) return;
    const hash = keyHash(key);
    if (!this.#isMade) {
      if (this.#noted.has(hash)) return;
      this.#noted.add(hash);
    }
    this.#append([hash]);
  }

  cleared(matches: (key: string) => boolean): void {
    if (this.#isMade) this.#changedAll([...this.#held.keys()].filter(matches));
    else this.all();
  }

  /** No entry of the snapshot is to be believed. */
  all(): void {
    this.#append([ALL]);
  }

  tagDropped(tag: string): void {
    const dropped: string[] = [];
    for (const [key, tags] of this.#held) if (tags.includes(tag)) dropped.push(key);
    this.#changedAll(dropped);
  }

  #changedAll(keys: readonly string[]): void {
    for (const key of keys) this.#held.delete(key);
    if (keys.length > 0) this.#append(keys.map((key) => keyHash(key)));
  }

  #append(hashes: readonly number[]): void {
    if (this.#isOver) return;
    const bytes = new Uint8Array(hashes.length * 4);
    const view = new DataView(bytes.buffer);
    hashes.forEach((hash, at) => view.setUint32(at * 4, hash, true));
    try {
      this.#list.append(bytes);
    } catch (error) {
      this.close();
      this.#onFailure(error);
    }
  }
}

/** Reads what was noted. @returns whether a key has changed. */
export function readChanges(bytes: Uint8Array): (key: string) => boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hashes = new Set<number>();
  for (let at = 0; at + 4 <= bytes.length; at += 4) hashes.add(view.getUint32(at, true));
  return hashes.has(ALL) ? () => true : (key) => hashes.has(keyHash(key));
}
