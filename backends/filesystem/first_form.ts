import { setImmediate } from "node:timers/promises";
import { CacheEntry } from "../../src/entry/entry.ts";
import { decodeFrame } from "../../src/entry/frame.ts";
import { CacheError } from "../../src/errors.ts";
import type { BackendContext } from "../../src/types.ts";
import { bytesBelow, bytesOnDisk, type Disk, errnoOf } from "./disk.ts";
import { entryPath, FIRST_FORM, isEntryName, isShardName, isTemporaryName } from "./names.ts";

/** Entries on their way at once; between two such slices others have their turn. */
const SLICE_ENTRIES = 16;
/** What the first form may keep of a limit, so that there is room for the log's first segments. */
const SHARE_OF_LIMIT = 0.7;

/** Where entries of the first form go. */
export interface FirstFormTarget {
  /** Whether there is an entry that is newer than any of the first form. */
  has(key: string): boolean;
  /** Takes an entry. */
  take(key: string, frame: Uint8Array, expiresAt: number): unknown;
  /** Counts bytes of files that are gone. */
  release(bytes: number): void;
}

/**
 * A directory of the first form, a file an entry, as long as its entries are
 * on their way into the log. A file is removed before its entry goes into the
 * log: so of several processes one takes it, and none brings an entry back
 * that was replaced or deleted meanwhile. A process that is killed in between
 * loses that entry.
 */
export class FirstForm {
  readonly #root: string;
  readonly #disk: Disk;
  readonly #context: BackendContext;
  readonly #target: FirstFormTarget;
  /** Paths of entries that were replaced or deleted since the beginning. */
  readonly #over = new Set<string>();
  /** Entries whose files are gone before they are in the log, by path. */
  readonly #moving = new Map<string, Promise<void>>();
  #isStopped = false;

  constructor(base: string, disk: Disk, context: BackendContext, target: FirstFormTarget) {
    this.#root = `${base}/${FIRST_FORM}`;
    this.#disk = disk;
    this.#context = context;
    this.#target = target;
  }

  /** Bytes that it takes below a base path as `du` counts them, 0 where there is none. */
  static measure(base: string): number {
    return bytesBelow(`${base}/${FIRST_FORM}`);
  }

  /** Removes entries, whichever, where they leave no room for the log. @returns whether there is anything. */
  static async makeRoom(base: string, disk: Disk, maxBytes: number): Promise<boolean> {
    let bytes = FirstForm.measure(base);
    if (bytes <= maxBytes * SHARE_OF_LIMIT) return bytes > 0;
    const root = `${base}/${FIRST_FORM}`;
    for (const shard of (await namesIn(disk, root)).filter(isShardName)) {
      for (const name of (await namesIn(disk, `${root}/${shard}`)).filter(isEntryName)) {
        if (bytes <= maxBytes * SHARE_OF_LIMIT) return true;
        bytes -= await removeFile(disk, `${root}/${shard}/${name}`);
      }
    }
    return true;
  }

  /** Reads an entry that has not come into the log yet; when there is none, it is in the log by now or nowhere. Never throws. */
  async get(key: string): Promise<CacheEntry | undefined> {
    const path = entryPath(key);
    if (this.#over.has(path)) return undefined;
    try {
      const frame = await this.#read(path);
      if (frame === undefined) {
        await this.#moving.get(path);
        return undefined;
      }
      const entry = CacheEntry.decode(key, frame);
      return entry.expiresAt > this.#context.clock.now() ? entry : undefined;
    } catch (error) {
      this.#report(error, key);
      return undefined;
    }
  }

  /** Removes an entry that was replaced or deleted: at once it is a miss. @returns whether a live one was there. */
  async supersede(key: string): Promise<boolean> {
    const path = entryPath(key);
    const reading = this.get(key);
    if (this.#over.has(path)) return false;
    this.#over.add(path);
    const wasLive = await reading !== undefined;
    const bytes = await removeFile(this.#disk, `${this.#root}/${path}`);
    this.#target.release(bytes);
    return wasLive && bytes > 0;
  }

  /** Moves everything into the log, in the background. Never throws. */
  async migrate(): Promise<void> {
    try {
      for (const shard of (await namesIn(this.#disk, this.#root)).filter(isShardName)) {
        await this.#migrateShard(shard);
        if (this.#isStopped) return;
      }
      await this.#removeRest();
    } catch (error) {
      this.#report(error);
    }
  }

  /** Ends the migration at the next slice. */
  stop(): void {
    this.#isStopped = true;
  }

  async #migrateShard(shard: string): Promise<void> {
    const names = (await namesIn(this.#disk, `${this.#root}/${shard}`)).filter(isEntryName);
    for (let at = 0; at < names.length && !this.#isStopped; at += SLICE_ENTRIES) {
      const slice = names.slice(at, at + SLICE_ENTRIES);
      await Promise.all(slice.map((name) => {
        const path = `${shard}/${name}`;
        const moving = this.#migrateEntry(path).finally(() => this.#moving.delete(path));
        this.#moving.set(path, moving);
        return moving;
      }));
      await setImmediate();
    }
    if (!this.#isStopped) await this.#removeFolder(`${this.#root}/${shard}`);
  }

  async #migrateEntry(path: string): Promise<void> {
    try {
      const frame = await this.#read(path);
      if (frame === undefined) return;
      const entry = this.#checked(path, frame);
      if (entry === "foreign") return;
      const bytes = await removeFile(this.#disk, `${this.#root}/${path}`);
      if (bytes === 0) return;
      this.#target.release(bytes);
      if (entry === "damaged" || entry.expiresAt <= this.#context.clock.now()) return;
      if (this.#over.has(path) || this.#target.has(entry.key)) return;
      await this.#target.take(entry.key, frame, entry.expiresAt);
    } catch (error) {
      this.#report(error);
    }
  }

  /** What a file holds; what another version has written is left to that version. */
  #checked(
    path: string,
    frame: Uint8Array,
  ): { readonly key: string; readonly expiresAt: number } | "damaged" | "foreign" {
    try {
      const { key, metadata } = decodeFrame(frame);
      if (entryPath(key) === path) return { key, expiresAt: metadata.expiresAt };
      this.#report(new CacheError("corrupt", "Cannot read entry: it is of another key"));
      return "damaged";
    } catch (error) {
      this.#report(error);
      return error instanceof CacheError && error.code === "corrupt" ? "damaged" : "foreign";
    }
  }

  async #read(path: string): Promise<Uint8Array | undefined> {
    const whole = `${this.#root}/${path}`;
    let fd: number;
    try {
      const { kind, size } = await this.#disk.status(whole);
      if (kind !== "file") return undefined;
      fd = await this.#disk.openToRead(whole);
      try {
        const frame = new Uint8Array(size);
        let length = 0;
        while (length < size) {
          const count = await this.#disk.read(fd, frame.subarray(length), length);
          if (count === 0) break;
          length += count;
        }
        return frame.subarray(0, length);
      } finally {
        this.#disk.close(fd);
      }
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  /** Temporary files and folders; what is not ours stays, and keeps its folder. */
  async #removeRest(): Promise<void> {
    const temporary = `${this.#root}/tmp`;
    for (const name of (await namesIn(this.#disk, temporary)).filter(isTemporaryName)) {
      this.#target.release(await removeFile(this.#disk, `${temporary}/${name}`));
    }
    await this.#removeFolder(temporary);
    await this.#removeFolder(this.#root);
  }

  async #removeFolder(path: string): Promise<void> {
    try {
      const bytes = bytesOnDisk(await this.#disk.status(path));
      await this.#disk.removeDirectory(path);
      this.#target.release(bytes);
    } catch (error) {
      if (!isGone(error) && errnoOf(error) !== "ENOTEMPTY" && errnoOf(error) !== "EEXIST") {
        throw error;
      }
    }
  }

  #report(error: unknown, key?: string): void {
    const isCorrupt = error instanceof CacheError;
    this.#context.report({ kind: isCorrupt ? "corrupt" : "error", key, error });
  }
}

/** Removes a file. @returns bytes that it took, 0 when it was gone already. */
async function removeFile(disk: Disk, path: string): Promise<number> {
  try {
    const { kind, ...status } = await disk.status(path);
    if (kind !== "file") return 0;
    await disk.unlink(path);
    return Math.max(1, bytesOnDisk({ kind, ...status }));
  } catch (error) {
    if (isGone(error)) return 0;
    throw error;
  }
}

/** The names in a folder, none when there is no such folder; a link is not followed. */
async function namesIn(disk: Disk, path: string): Promise<readonly string[]> {
  try {
    return (await disk.status(path)).kind === "directory" ? await disk.list(path) : [];
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

function isGone(error: unknown): boolean {
  const code = errnoOf(error);
  return code === "ENOENT" || code === "ENOTDIR";
}
