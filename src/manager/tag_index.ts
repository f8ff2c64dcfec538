import type { CacheEntry } from "../entry/entry.ts";
import type { Clock } from "../types.ts";
import { reservedKey } from "./scope.ts";

/** Where the marks live beyond this process. */
export interface MarkStore {
  /** The version that a mark holds, `undefined` where no tier has it. */
  read(key: string): Promise<number | undefined>;
  /** Writes a mark. */
  write(key: string, version: number): Promise<void>;
}

/** What is known here of the mark of one tag. */
interface Mark {
  version: number;
  checkedAt: number;
}

/** After so many milliseconds a mark is read again: another process may have dropped the tag. */
const FRESH_MS = 1000;

/** Tags known at once; with more, entries of the ones used longest ago become misses. */
const MAX_MARKS = 100_000;

/**
 * Tells which entries were dropped by tag, without looking for them. Every tag
 * has a mark, a version in a record of its own; an entry is valid only if each
 * of its tags has a mark and that is older than the entry. So a mark that a
 * tier has lost costs a miss, and never brings a dropped entry back.
 */
export class TagIndex {
  readonly #clock: Clock;
  /** `undefined` where memory is the only tier: what is known here is then all there is. */
  readonly #store: MarkStore | undefined;
  readonly #marks = new Map<string, Mark>();
  readonly #reading = new Map<string, Promise<Mark | undefined>>();

  constructor(clock: Clock, store: MarkStore | undefined) {
    this.#clock = clock;
    this.#store = store;
  }

  /** Makes sure that the tags of an entry to be written have marks that are older than it. */
  async prepare(entry: CacheEntry): Promise<void> {
    for (const tag of entry.tags) {
      if (await this.#mark(tag) === undefined) await this.#put(tag, entry.version - 1);
    }
  }

  /** Whether an entry was dropped, by what is known here; asks the tiers for what was not checked lately. */
  async isDropped(entry: CacheEntry): Promise<boolean> {
    for (const tag of entry.tags) {
      const mark = await this.#mark(tag);
      if (mark === undefined || mark.version >= entry.version) return true;
    }
    return false;
  }

  /**
   * Whether an entry was dropped, at once.
   *
   * @returns `undefined` when a mark has to be read first.
   */
  isDroppedSync(entry: CacheEntry): boolean | undefined {
    for (const tag of entry.tags) {
      const mark = this.#fresh(tag);
      if (mark === undefined) return undefined;
      if (mark.version >= entry.version) return true;
    }
    return false;
  }

  /** Drops every entry of a tag up to a version. */
  async drop(tag: string, version: number): Promise<void> {
    await this.#put(tag, version);
  }

  #fresh(tag: string): Mark | undefined {
    const mark = this.#marks.get(tag);
    if (mark === undefined) return undefined;
    return this.#store === undefined || this.#clock.recent() - mark.checkedAt < FRESH_MS
      ? mark
      : undefined;
  }

  async #mark(tag: string): Promise<Mark | undefined> {
    const fresh = this.#fresh(tag);
    if (fresh !== undefined || this.#store === undefined) return fresh;
    let reading = this.#reading.get(tag);
    if (reading === undefined) {
      reading = this.#read(tag, this.#store).finally(() => this.#reading.delete(tag));
      this.#reading.set(tag, reading);
    }
    return await reading;
  }

  async #read(tag: string, store: MarkStore): Promise<Mark | undefined> {
    const stored = await store.read(reservedKey("tag", tag));
    // A drop made here meanwhile, or one that no tier took, is newer than what was read.
    const known = this.#marks.get(tag)?.version ?? -1;
    if (stored === undefined && known < 0) return undefined;
    return this.#remember(tag, Math.max(stored ?? -1, known));
  }

  async #put(tag: string, version: number): Promise<void> {
    this.#remember(tag, version);
    await this.#store?.write(reservedKey("tag", tag), version);
  }

  #remember(tag: string, version: number): Mark {
    const mark = { version, checkedAt: this.#clock.now() };
    this.#marks.delete(tag);
    this.#marks.set(tag, mark);
    if (this.#marks.size > MAX_MARKS) {
      for (const oldest of this.#marks.keys()) {
        this.#marks.delete(oldest);
        break;
      }
    }
    return mark;
  }
}
