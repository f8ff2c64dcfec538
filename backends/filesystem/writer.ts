import type { CacheEntry } from "../../src/entry/entry.ts";
import { errnoOf } from "./disk.ts";
import { isDamage, readHead, writeFile } from "./entry_file.ts";
import { bytesOnDisk } from "./file_index.ts";
import { digestOf, entryPath } from "./names.ts";
import type { Remover } from "./remover.ts";
import { type Shared, temporaryPath, whileActive } from "./shared.ts";

/** Freed at least when the disk is full, so that not every write meets the end of it again. */
const FULL_DISK_BYTES = 1024 * 1024;

/** Writes and deletes entries. */
export class Writer {
  readonly #shared: Shared;
  readonly #remover: Remover;
  readonly #sync: boolean;
  readonly #ready: Promise<void>;

  /**
   * @param sync whether a write waits until it is on the disk.
   * @param ready resolves when what was in the directory counts.
   */
  constructor(shared: Shared, remover: Remover, sync: boolean, ready: Promise<void>) {
    this.#shared = shared;
    this.#remover = remover;
    this.#sync = sync;
    this.#ready = ready;
  }

  /** Stores an entry. @returns false when it is too large. */
  set(key: string, entry: CacheEntry, signal: AbortSignal | undefined): Promise<boolean> {
    const digest = digestOf(key);
    return this.#shared.lanes.run(
      entryPath(digest),
      () => this.#set(digest, entry, signal),
    );
  }

  /** Removes an entry. @returns whether a live one was there. */
  delete(key: string, signal: AbortSignal | undefined): Promise<boolean> {
    const digest = digestOf(key);
    const name = entryPath(digest);
    return this.#shared.lanes.run(name, () =>
      whileActive(this.#shared, name, async () => {
        signal?.throwIfAborted();
        const { disk, root, files, clock } = this.#shared;
        try {
          const head = await files.run(() => readHead(disk, `${root}/${name}`));
          signal?.throwIfAborted();
          const wasThere = await this.#remover.remove(digest);
          if (this.#sync && wasThere) await this.#shared.directories.sync(digest[0]!);
          return wasThere && head?.key === key && head.header.expiresAt > clock.now();
        } catch (error) {
          if (!isDamage(error)) throw error;
          await this.#remover.removeIf(digest, () => Promise.resolve(true));
          return false;
        }
      }));
  }

  async #set(
    digest: Uint8Array,
    entry: CacheEntry,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { space, clock, directories } = this.#shared;
    signal?.throwIfAborted();
    const frame = await entry.encode();
    if (space.isLimited) await this.#ready;
    signal?.throwIfAborted();
    if (entry.staleUntil <= clock.now()) {
      await this.#drop(digest);
      return true;
    }
    const bytes = bytesOnDisk(frame.length);
    const least = directories.fixedBytes + directories.growth(digest[0]!) + bytes;
    if (least > space.limits.maxBytes) {
      await this.#drop(digest);
      return false;
    }
    try {
      return await this.#writeInto(digest, entry, frame, bytes, signal);
    } catch (error) {
      const code = errnoOf(error);
      if (code === "ENOSPC" || code === "EDQUOT") {
        const room = Math.max(FULL_DISK_BYTES, 2 * bytes);
        await space.inTurn(() => this.#remover.free(room, entryPath(digest)));
      } else if (code === "ENOENT") {
        // Someone removed the directory, or swept up what was being written.
        await directories.open();
      } else {
        throw error;
      }
      return await this.#writeInto(digest, entry, frame, bytes, signal);
    }
  }

  /** Writes once room is set aside. @returns false when there is not enough to be had. */
  async #writeInto(
    digest: Uint8Array,
    entry: CacheEntry,
    frame: Uint8Array,
    bytes: number,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { space, index, directories } = this.#shared;
    const name = entryPath(digest);
    const taken = await space.reserve(
      () => ({
        bytes: bytes + directories.growth(digest[0]!),
        entries: index.find(digest) < 0 ? 1 : 0,
      }),
      (need) => this.#remover.makeRoom(need, name),
      () => directories.keep(digest[0]!),
    );
    if (taken === undefined) {
      await this.#drop(digest);
      return false;
    }
    try {
      await whileActive(this.#shared, name, () => this.#replace(digest, entry, frame, signal));
    } finally {
      directories.letGo(digest[0]!);
      space.release(taken);
    }
    return true;
  }

  /** Writes beside the old file and puts the new one in its place. */
  async #replace(
    digest: Uint8Array,
    entry: CacheEntry,
    frame: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { disk, root, files, index, directories } = this.#shared;
    const shard = digest[0]!;
    const temporary = temporaryPath(this.#shared);
    try {
      await files.run(() => {
        signal?.throwIfAborted();
        return writeFile(disk, temporary, frame, this.#sync);
      });
      signal?.throwIfAborted();
      await directories.place(
        shard,
        () => disk.rename(temporary, `${root}/${entryPath(digest)}`),
      );
    } catch (error) {
      await disk.unlink(temporary).catch(() => {});
      throw error;
    }
    const slot = index.put(digest, { size: frame.length }, entry.expiresAt, Infinity);
    if (this.#sync) await directories.sync(shard);
    else index.setUnsynced(slot, true);
  }

  async #drop(digest: Uint8Array): Promise<void> {
    await whileActive(this.#shared, entryPath(digest), () => this.#remover.remove(digest));
  }
}
