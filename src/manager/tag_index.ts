import type { EntryMetadata } from "../entry/frame.ts";
import type { Clock } from "../types.ts";
import { freshUntil, isFreshTag } from "./freshness.ts";
import { reservedKey } from "./scope.ts";

/** Where the marks live beyond this process. */
export interface MarkStore {
  /** The version that a mark holds, `undefined` where no tier has it. */
  read(key: string): Promise<number | undefined>;
  /**
   * Writes a mark.
   *
   * @param dropped the tag, where it is dropped by this.
   * @returns whether it is kept.
   */
  write(key: string, version: number, dropped?: string): Promise<boolean>;
}

/** What of an entry tells whether it was dropped. */
type Tagged = Pick<EntryMetadata, "tags" | "version">;

/** What is known here of the mark of one tag. */
interface Mark {
  version: number;
  checkedAt: number;
  /** Whether the store has it, as far as is known. */
  isStored: boolean;
  /** Whether it was made here for the tag's first entry, and the tag not dropped since. */
  isInitial: boolean;
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

  /** Makes sure that the tags of an entry to be written have marks, and that first ones are older than it. */
  async prepare(entry: Tagged): Promise<void> {
    for (const tag of entry.tags) {
      if (isFreshTag(tag)) continue;
      if (this.#fresh(tag) === undefined) await this.#mark(tag);
      // Another write of the tag, or a drop, may have made its mark meanwhile.
      const mark = this.#marks.get(tag);
      if (mark === undefined || (mark.isInitial && mark.version >= entry.version)) {
        await this.#put(tag, entry.version - 1, true);
      } else if (!mark.isStored) {
        await this.#put(tag, mark.version, mark.isInitial);
      }
    }
  }

  /**
   * Whether an entry was dropped, or is fresh no more; asks the tiers for what was not checked lately.
   *
   * @param mayBeStale whether it need not be fresh.
   */
  async isDropped(entry: Tagged, mayBeStale = false): Promise<boolean> {
    for (const tag of entry.tags) {
      if (isFreshTag(tag)) {
        if (!mayBeStale && this.#isOver(tag)) return true;
        continue;
      }
      const mark = await this.#mark(tag);
      if (mark === undefined || mark.version >= entry.version) return true;
    }
    return false;
  }

  /**
   * Whether an entry was dropped, or is fresh no more, at once.
   *
   * @returns `undefined` when a mark has to be read first.
   */
  isDroppedSync(entry: Tagged): boolean | undefined {
    for (const tag of entry.tags) {
      if (isFreshTag(tag)) {
        if (this.#isOver(tag)) return true;
        continue;
      }
      const mark = this.#fresh(tag);
      if (mark === undefined) return undefined;
      if (mark.version >= entry.version) return true;
    }
    return false;
  }

  /** Whether an entry was dropped, by what is known here, however long ago that was checked. */
  isDroppedAsKnown(entry: Tagged): boolean {
    return entry.tags.some((tag) => {
      if (isFreshTag(tag)) return this.#isOver(tag);
      const mark = this.#marks.get(tag);
      return mark === undefined || mark.version >= entry.version;
    });
  }

  /** Whether one of some tags was dropped here after a version. */
  wasDroppedSince(tags: readonly string[], version: number): boolean {
    return tags.some((tag) => {
      const mark = this.#marks.get(tag);
      return mark !== undefined && !mark.isInitial && mark.version >= version;
    });
  }

  /** Drops every entry of a tag up to a version. */
  async drop(tag: string, version: number): Promise<void> {
    await this.#put(tag, Math.max(version, this.#marks.get(tag)?.version ?? 0), false);
  }

  /** Takes note that another process has dropped a tag. */
  heard(tag: string, version: number | undefined): void {
    const known = this.#marks.get(tag);
    if (version === undefined) {
      if (known !== undefined) known.checkedAt = -Infinity;
    } else if (known === undefined || known.version < version) {
      this.#remember(tag, { version, isStored: true, isInitial: false });
    }
  }

  /** Reads every mark again before it is believed: drops may have been missed. */
  doubt(): void {
    for (const mark of this.#marks.values()) mark.checkedAt = -Infinity;
  }

  /** Takes note that the store loses the marks whose keys match; entries to come need them again. */
  cleared(matches: (key: string) => boolean): void {
    for (const [tag, mark] of this.#marks) {
      if (mark.isStored && matches(markKey(tag))) mark.isStored = false;
    }
  }

  #isOver(freshTag: string): boolean {
    return freshUntil([freshTag]) <= this.#clock.now();
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
    const stored = await store.read(markKey(tag));
    // A drop made here meanwhile, or one that no tier took, is newer than what was read.
    const known = this.#marks.get(tag);
    if (stored === undefined) {
      // A clear of everything took it after its first entry had asked for it: others do not know it.
      return known && await this.#put(tag, known.version, known.isInitial);
    }
    if (known !== undefined && known.version > stored && !known.isInitial) {
      // A clear took it, and a first mark has come in its place: all have to know the drop.
      return await this.#put(tag, known.version, false);
    }
    return this.#remember(tag, {
      version: stored,
      isStored: true,
      isInitial: known !== undefined && known.isInitial && known.version === stored,
    });
  }

  async #put(tag: string, version: number, isInitial: boolean): Promise<Mark> {
    const mark = this.#remember(tag, { version, isInitial, isStored: true });
    const dropped = isInitial ? undefined : tag;
    if (await this.#store?.write(markKey(tag), version, dropped) === false) mark.isStored = false;
    return mark;
  }

  #remember(tag: string, known: Omit<Mark, "checkedAt">): Mark {
    const mark = { ...known, checkedAt: this.#clock.now() };
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

function markKey(tag: string): string {
  return reservedKey("tag", tag);
}
