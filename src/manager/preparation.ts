import type { CacheEntry } from "../entry/entry.ts";
import type { TagIndex } from "./tag_index.ts";

/** How far the values of a write have been encoded. */
export interface Encoding {
  /** Entries that have been. */
  readonly done: number;
  /** What the last of them waits for. */
  readonly wait: unknown;
}

/** Makes entries ready to be written, before anything is touched. */
export class Preparation {
  readonly #hasByteTiers: boolean;
  readonly #tags: TagIndex;

  /** @param hasByteTiers whether a tier needs the bytes of a value. */
  constructor(hasByteTiers: boolean, tags: TagIndex) {
    this.#hasByteTiers = hasByteTiers;
    this.#tags = tags;
  }

  /** Takes the bytes of each value before its caller can change it, up to the first whose codec has to be waited for. */
  encode(entries: readonly CacheEntry[]): Encoding {
    if (!this.#hasByteTiers) return { done: entries.length, wait: undefined };
    for (let at = 0; at < entries.length; at++) {
      const wait = entries[at]!.prepare();
      if (wait instanceof Promise) return { done: at + 1, wait };
    }
    return { done: entries.length, wait: undefined };
  }

  /** Waits for the rest, and for the tags. */
  async finish(
    entries: readonly CacheEntry[],
    { done, wait }: Encoding,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    await wait;
    for (let at = done; at < entries.length; at++) await entries[at]!.prepare();
    for (const entry of entries) {
      if (entry.tags.length > 0) await this.#tags.prepare(entry);
    }
    signal?.throwIfAborted();
  }
}
