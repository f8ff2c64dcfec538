import type { CacheEntry } from "../../src/entry/entry.ts";
import { mapLimited } from "../../src/manager/map_limited.ts";
import type { BackendContext, BackendStats, EvictionPolicy } from "../../src/types.ts";
import { Directories } from "./directories.ts";
import type { Disk } from "./disk.ts";
import { syncFile, writeFile } from "./entry_file.ts";
import { FileIndex } from "./file_index.ts";
import { Lanes } from "./lanes.ts";
import { Lister } from "./lister.ts";
import { entryPath, LAYOUT, TemporaryNames } from "./names.ts";
import { Reader } from "./reader.ts";
import { Remover } from "./remover.ts";
import { Scanner } from "./scanner.ts";
import { Semaphore } from "./semaphore.ts";
import { type Shared, temporaryPath } from "./shared.ts";
import { Space, type SpaceLimits } from "./space.ts";
import { Writer } from "./writer.ts";

/** Far from the 1,024 that a process may open by default, and more than a disk does at once. */
const MAX_OPEN_FILES = 64;

/** Options of {@linkcode FileStore.open}. */
export interface FileStoreOptions {
  /** The directory, absolute. It is made when it is not there. */
  readonly base: string;
  /** Bounds of what lies in it. */
  readonly limits: SpaceLimits;
  /** Decides what leaves; `undefined` where there is no limit. */
  readonly policy: EvictionPolicy | undefined;
  /** Whether a write waits until it is on the disk. */
  readonly sync: boolean;
}

/**
 * A file an entry, in hashed names below one directory that several processes
 * may share. Files are written beside and renamed, so a reader sees the old
 * entry or the new one, whole.
 */
export class FileStore {
  readonly #shared: Shared;
  readonly #reader: Reader;
  readonly #writer: Writer;
  readonly #lister: Lister;
  readonly #scanner: Scanner;

  private constructor(shared: Shared, { policy, sync }: FileStoreOptions) {
    this.#shared = shared;
    const remover = new Remover(shared);
    this.#reader = new Reader(shared, remover, () => this.#scanner.trimSoon());
    this.#lister = new Lister(shared, this.#reader, remover);
    this.#scanner = new Scanner(shared, this.#reader, remover, policy?.name !== "fifo");
    this.#writer = new Writer(shared, remover, sync, this.#scanner.ready);
  }

  /**
   * Opens the directory, and begins to learn what is in it.
   *
   * @throws what the system says when the directory cannot be made or written.
   */
  static async open(
    options: FileStoreOptions,
    { clock, report }: BackendContext,
    disk: Disk,
  ): Promise<FileStore> {
    const root = `${options.base}/${LAYOUT}`;
    const directories = new Directories(disk, options.base, root);
    const index = new FileIndex(options.policy);
    const others = { bytes: 0 };
    const space = new Space(options.limits, () => ({
      bytes: index.bytes + directories.bytes + others.bytes,
      entries: index.count,
    }));
    const shared: Shared = {
      disk,
      root,
      directories,
      index,
      lanes: new Lanes(),
      active: new Map(),
      space,
      files: new Semaphore(MAX_OPEN_FILES),
      clock,
      report,
      counters: { evictions: 0, expirations: 0, corruptions: 0 },
      others,
      temporaries: new TemporaryNames(),
    };
    await directories.open();
    const probe = temporaryPath(shared);
    await writeFile(disk, probe, new Uint8Array(1), false);
    await disk.unlink(probe);
    return new FileStore(shared, options);
  }

  /** Reads an entry. */
  get(key: string, signal: AbortSignal | undefined): Promise<CacheEntry | undefined> {
    return this.#reader.get(key, signal);
  }

  /** Stores an entry. @returns false when it is too large. */
  set(key: string, entry: CacheEntry, signal: AbortSignal | undefined): Promise<boolean> {
    return this.#writer.set(key, entry, signal);
  }

  /** Removes an entry. @returns whether a live one was there. */
  delete(key: string, signal: AbortSignal | undefined): Promise<boolean> {
    return this.#writer.delete(key, signal);
  }

  /** Whether there is a live entry. */
  exists(key: string, signal: AbortSignal | undefined): Promise<boolean> {
    return this.#reader.exists(key, signal);
  }

  /** Removes the entries that match, or all. @returns how many of them were live. */
  async clear(
    matches: ((key: string) => boolean) | undefined,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    await this.#scanner.ready;
    return await this.#shared.lanes.exclusive(() => {
      signal?.throwIfAborted();
      return this.#lister.clear(matches, signal);
    });
  }

  /** The keys of live entries that match. */
  keys(
    matches: (key: string) => boolean,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<string> {
    return this.#lister.keys(matches, signal);
  }

  /** What is held, once it is known. */
  async stats(): Promise<BackendStats> {
    await this.#scanner.ready;
    const { index, directories, others, space, counters } = this.#shared;
    const { maxBytes, maxEntries } = space.limits;
    return {
      entries: index.count,
      bytes: index.bytes + directories.bytes + others.bytes,
      ...(maxBytes !== Infinity && { maxBytes }),
      ...(maxEntries !== Infinity && { maxEntries }),
      ...counters,
    };
  }

  /** Looks at the whole directory anew. */
  refresh(): Promise<void> {
    return this.#scanner.refresh();
  }

  /** Waits until everything written so far is on the disk. */
  async flush(): Promise<void> {
    const { lanes, index, disk, root, files, directories } = this.#shared;
    await lanes.settled();
    const unsynced = index.slots().filter((slot) => index.isUnsynced(slot));
    const shards = new Set<number>();
    await mapLimited(unsynced, MAX_OPEN_FILES, async (slot) => {
      const digest = index.digest(slot);
      const stamp = index.stampOf(slot);
      await files.run(() => syncFile(disk, `${root}/${entryPath(digest)}`));
      shards.add(digest[0]!);
      const isSame = index.find(digest) === slot && index.stampOf(slot) === stamp;
      if (isSame) index.setUnsynced(slot, false);
    });
    for (const shard of shards) await directories.sync(shard);
  }

  /** Ends what runs in the background and waits for what was begun. */
  async close(): Promise<void> {
    await this.#scanner.stop();
    await this.#shared.lanes.settled();
  }
}
