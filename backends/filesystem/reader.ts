import { CacheEntry } from "../../src/entry/entry.ts";
import type { CacheError } from "../../src/errors.ts";
import { type FileHead, isDamage, readFrame, readHead } from "./entry_file.ts";
import { digestOf, entryPath } from "./names.ts";
import type { Remover } from "./remover.ts";
import { type Shared, whileActive } from "./shared.ts";

/** Reads entries. What is damaged or over is removed on the way. */
export class Reader {
  readonly #shared: Shared;
  readonly #remover: Remover;
  readonly #onForeign: () => void;

  /** @param onForeign is called when a file was found that another process must have written. */
  constructor(shared: Shared, remover: Remover, onForeign: () => void) {
    this.#shared = shared;
    this.#remover = remover;
    this.#onForeign = onForeign;
  }

  /** The entry under a key. */
  async get(key: string, signal: AbortSignal | undefined): Promise<CacheEntry | undefined> {
    const { index, disk, files, clock } = this.#shared;
    const digest = digestOf(key);
    const path = this.#pathOf(digest);
    const slot = index.find(digest);
    const length = slot < 0 ? undefined : index.lengthOf(slot);
    const before = index.stamp;
    if (!await this.#isThere(digest)) return undefined;
    const read = (): Promise<Uint8Array | undefined> =>
      files.run(() => {
        signal?.throwIfAborted();
        return readFrame(disk, path, length);
      });
    let entry: CacheEntry;
    try {
      const frame = await read();
      if (frame === undefined) {
        this.#forgetMissing(digest, before);
        return undefined;
      }
      entry = CacheEntry.decode(key, frame);
      this.#noteUse(digest, frame.length, entry.expiresAt, before);
    } catch (error) {
      if (!isDamage(error)) throw error;
      await this.#dealWithDamage(key, digest, error, async () => {
        const frame = await read();
        if (frame !== undefined) CacheEntry.decode(key, frame);
      });
      return undefined;
    }
    const now = clock.now();
    if (entry.expiresAt > now) return entry;
    if (entry.staleUntil <= now) await this.removeExpired(digest);
    return undefined;
  }

  /** Whether there is a live entry under a key, by the header of its file. */
  async exists(key: string, signal: AbortSignal | undefined): Promise<boolean> {
    const { disk, files, clock } = this.#shared;
    const digest = digestOf(key);
    if (!await this.#isThere(digest)) return false;
    try {
      const head = await files.run(() => {
        signal?.throwIfAborted();
        return readHead(disk, this.#pathOf(digest));
      });
      return head !== undefined && head.key === key && head.header.expiresAt > clock.now();
    } catch (error) {
      if (isDamage(error)) return false;
      throw error;
    }
  }

  /**
   * Times and key of the entry in a file.
   *
   * @returns `undefined` when there is none, or it is damaged, or not the one that the file is named for.
   */
  async headOf(digest: Uint8Array): Promise<FileHead | undefined> {
    const { disk, files } = this.#shared;
    try {
      const head = await files.run(() => readHead(disk, this.#pathOf(digest)));
      return head !== undefined && entryPath(digestOf(head.key)) === entryPath(digest)
        ? head
        : undefined;
    } catch (error) {
      if (isDamage(error)) return undefined;
      throw error;
    }
  }

  /** Removes an entry that is over for good, if it still is when its turn comes. One that may be served stale stays. */
  async removeExpired(digest: Uint8Array): Promise<void> {
    const { clock, counters } = this.#shared;
    const removed = await this.#removeIf(digest, async () => {
      const head = await this.headOf(digest);
      return head !== undefined && head.header.staleUntil <= clock.now();
    });
    if (removed) counters.expirations++;
  }

  async #dealWithDamage(
    key: string,
    digest: Uint8Array,
    error: CacheError,
    check: () => Promise<void>,
  ): Promise<void> {
    const { counters, report } = this.#shared;
    counters.corruptions++;
    report({ kind: "corrupt", key, error });
    // What another version has written is left to that version.
    if (error.code !== "corrupt") return;
    await this.#removeIf(digest, async () => {
      try {
        await check();
        return false;
      } catch (again) {
        if (isDamage(again)) return again.code === "corrupt";
        throw again;
      }
    });
  }

  #removeIf(digest: Uint8Array, isDoomed: () => Promise<boolean>): Promise<boolean> {
    const name = entryPath(digest);
    return this.#shared.lanes.run(
      name,
      () => whileActive(this.#shared, name, () => this.#remover.removeIf(digest, isDoomed)),
    );
  }

  /** Whether the shard's folder is a folder; a link that leads elsewhere is not followed. */
  async #isThere(digest: Uint8Array): Promise<boolean> {
    const { directories } = this.#shared;
    const shard = digest[0]!;
    return directories.isKnown(shard) || await directories.measure(shard);
  }

  #forgetMissing(digest: Uint8Array, before: number): void {
    const { index } = this.#shared;
    const slot = index.find(digest);
    if (slot >= 0 && index.stampOf(slot) <= before) index.drop(slot);
  }

  #noteUse(digest: Uint8Array, length: number, expiresAt: number, before: number): void {
    const { index, lanes } = this.#shared;
    const slot = index.find(digest);
    if (slot >= 0) {
      index.touch(slot);
      if (Number.isNaN(index.expiresAt(slot))) index.setExpiry(slot, expiresAt);
    } else if (!lanes.isBusy(entryPath(digest)) && !index.droppedSince(digest[0]!, before)) {
      index.put(digest, { size: length }, expiresAt, Infinity);
      this.#onForeign();
    }
  }

  #pathOf(digest: Uint8Array): string {
    return `${this.#shared.root}/${entryPath(digest)}`;
  }
}
