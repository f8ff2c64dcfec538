import { type Disk, errnoOf } from "./disk.ts";
import { shardName, SHARDS, TEMPORARY } from "./names.ts";

/** What a directory is counted as where the system does not tell its blocks. */
const DIRECTORY_BYTES = 4096;

/**
 * By how much a shard's folder may grow until it is measured again. A block of
 * a directory holds some 50 names of entries.
 */
const GROWTH_BYTES = 4096;

/**
 * How often a folder may vanish between being made and being used: processes
 * remove what they find empty, and several of them may do so at once.
 */
const PLACE_ATTEMPTS = 16;

/** Writes into a shard's folder after which it is measured again. */
const WRITES_BEFORE_MEASURE = 16;

/** The folders of a layout: which of them exist, and what they take on the disk. */
export class Directories {
  readonly #disk: Disk;
  readonly #base: string;
  readonly #root: string;
  readonly #sizes = new Float64Array(SHARDS);
  readonly #writers = new Uint32Array(SHARDS);
  readonly #writes = new Uint32Array(SHARDS);
  readonly #changes = new Uint32Array(SHARDS);
  #fixedBytes = 0;
  #shardBytes = 0;

  /**
   * @param base the directory that the config names.
   * @param root the layout's folder in it.
   */
  constructor(disk: Disk, base: string, root: string) {
    this.#disk = disk;
    this.#base = base;
    this.#root = root;
  }

  /** Bytes on the disk of all folders known. */
  get bytes(): number {
    return this.#fixedBytes + this.#shardBytes;
  }

  /** The most bytes by which a new file can make the folders grow, beyond what is counted already. */
  growth(shard: number): number {
    return this.isKnown(shard) ? 0 : DIRECTORY_BYTES + GROWTH_BYTES;
  }

  /** Bytes that a shard's folder is counted for. */
  bytesOf(shard: number): number {
    return this.#sizes[shard]!;
  }

  /** Bytes of the folders that are always there. */
  get fixedBytes(): number {
    return this.#fixedBytes;
  }

  /** Makes the folders that are always there. */
  async open(): Promise<void> {
    const temporary = `${this.#root}/${TEMPORARY}`;
    await this.#disk.makeDirectory(temporary);
    this.#fixedBytes = 0;
    for (const path of [this.#base, this.#root, temporary]) {
      this.#fixedBytes += await this.#sizeOf(path) ?? DIRECTORY_BYTES;
    }
  }

  /** The path of a shard's folder. */
  path(shard: number): string {
    return `${this.#root}/${shardName(shard)}`;
  }

  /** Whether a shard's folder is known to be there. */
  isKnown(shard: number): boolean {
    return this.#sizes[shard]! > 0;
  }

  /**
   * Looks whether a shard's folder is there and how large it is.
   *
   * @returns false for nothing and for what is no folder of ours, such as a link that leads elsewhere.
   */
  async measure(shard: number): Promise<boolean> {
    const changes = this.#changes[shard];
    const size = await this.#sizeOf(this.path(shard));
    // What was seen before the folder was removed or made says nothing any more.
    if (this.#changes[shard] === changes) {
      this.#setSize(shard, size === undefined ? 0 : size + GROWTH_BYTES);
    }
    return size !== undefined;
  }

  /** Makes a shard's folder, and all above it if someone took them away. */
  async make(shard: number): Promise<void> {
    const path = this.path(shard);
    await this.#disk.makeDirectory(`${this.#root}/${TEMPORARY}`);
    await this.#disk.makeDirectory(path);
    // Fails with ENOENT when another process has removed it already.
    const { kind } = await this.#disk.status(path);
    if (kind !== "directory") {
      throw Object.assign(new Error(`${path} is no directory`), { code: "ENOTDIR" });
    }
    await this.measure(shard);
  }

  /** Keeps a shard's folder from now on, until {@linkcode Directories.letGo}. */
  keep(shard: number): void {
    this.#writers[shard]!++;
  }

  /** Ends one {@linkcode Directories.keep}. */
  letGo(shard: number): void {
    this.#writers[shard]!--;
  }

  /** Puts a file into a shard's folder, which is made where it is missing. */
  async place(shard: number, put: () => Promise<void>): Promise<void> {
    for (let attempt = 1;; attempt++) {
      try {
        if (attempt > 1 || !this.isKnown(shard)) await this.make(shard);
        await put();
        break;
      } catch (error) {
        // Another process may have found it empty and removed it.
        if (errnoOf(error) !== "ENOENT" || attempt === PLACE_ATTEMPTS) throw error;
      }
    }
    if (++this.#writes[shard]! % WRITES_BEFORE_MEASURE === 0) await this.measure(shard);
  }

  /** Removes a shard's folder when nothing is in it; folders never shrink otherwise. */
  async removeIfEmpty(shard: number): Promise<void> {
    if (this.#writers[shard]! > 0) return;
    const changes = this.#changes[shard];
    try {
      await this.#disk.removeDirectory(this.path(shard));
    } catch (error) {
      const code = errnoOf(error);
      if (code === "ENOTEMPTY" || code === "EEXIST" || code === "EBUSY") return;
      if (code !== "ENOENT") throw error;
    }
    // A writer may have made it again while this answer was on its way.
    if (this.#changes[shard] === changes) this.#setSize(shard, 0);
    else await this.measure(shard);
  }

  /** Waits until the names in a shard's folder, and its own name, are on the disk. */
  async sync(shard: number): Promise<void> {
    for (const path of [this.path(shard), this.#root]) {
      let fd: number;
      try {
        fd = await this.#disk.openDirectory(path);
      } catch (error) {
        // Nothing is left to be synced; Windows opens no directories at all.
        if (["ENOENT", "EISDIR", "EPERM", "EACCES"].includes(errnoOf(error) ?? "")) continue;
        throw error;
      }
      try {
        await this.#disk.sync(fd);
      } finally {
        this.#disk.close(fd);
      }
    }
  }

  async #sizeOf(path: string): Promise<number | undefined> {
    try {
      const { kind, blocks } = await this.#disk.status(path);
      return kind === "directory" ? Math.max(DIRECTORY_BYTES, (blocks ?? 0) * 512) : undefined;
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
      throw error;
    }
  }

  #setSize(shard: number, size: number): void {
    this.#changes[shard]!++;
    this.#shardBytes += size - this.#sizes[shard]!;
    this.#sizes[shard] = size;
  }
}
