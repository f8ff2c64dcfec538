import { isStreamFrame } from "../../src/entry/stream_frame.ts";
import { assertFitsMemory, MAX_WHOLE_FRAME_BYTES } from "../../src/entry/whole_stream_frame.ts";
import { CacheError } from "../../src/errors.ts";
import type { Clock } from "../../src/types.ts";
import { bytesBelow, bytesOnDisk, type Disk, errnoOf } from "./disk.ts";
import { isFileName, type LargeFile, nameIn } from "./large_file.ts";
import { isDiskFull } from "./log/file_layer.ts";
import type { Health } from "./log/health.ts";
import { Semaphore } from "./semaphore.ts";

export { fileOf, type LargeFile, newFile, resizedBody } from "./large_file.ts";

const FOLDER = "files";

/** Far from the 1,024 that a process may open by default, and more than a disk does at once. */
const MAX_OPEN_FILES = 64;

/**
 * From its last byte on, a file is referred to within a moment; only a process
 * that stood still needs longer, and then meets a miss. Until it goes, a file
 * that is left over takes from the limit.
 */
export const ORPHAN_AGE_MS = 60_000;

/** How often what other processes have under way is waited for. */
const MAX_WAITS = 40;

/** Names of so many files make a folder grow by less than a block. */
const FILES_BETWEEN_LOOKS = 32;

/** What {@linkcode LargeFiles} needs of the log. */
export interface RoomKeeper {
  /** The directory in use right now. */
  readonly directory: string;
  /** Takes room. */
  reserve(bytes: number): boolean | Promise<boolean>;
  /** Gives room back. */
  release(bytes: number): void;
  /** Frees bytes of a disk that is full. */
  relieve(bytes: number): Promise<void>;
  /** What tells how the disk is. */
  readonly core: { readonly health: Pick<Health, "readFailed" | "writeFailed"> };
  /** Resolves when files that are of no use any more have been named. */
  flush(): Promise<void>;
  /** Waits a moment for what other processes may give back. @returns `false` at once when none writes. */
  waitForOthers(): Promise<boolean>;
}

/** Values too large for the log, a file each. */
export class LargeFiles {
  readonly #disk: Disk;
  readonly #room: RoomKeeper;
  readonly #isDurable: boolean;
  readonly #open = new Semaphore(MAX_OPEN_FILES);
  readonly #removals = new Set<Promise<void>>();
  readonly #writes = new Set<Promise<unknown>>();
  #reserving: Promise<unknown> = Promise.resolve();
  #folderBytes = 0;
  #untilLook = 1;

  /** @param isDurable whether a file is on the disk before it counts as written. */
  constructor(disk: Disk, room: RoomKeeper, isDurable: boolean) {
    this.#disk = disk;
    this.#room = room;
    this.#isDurable = isDurable;
  }

  /** In the log's directory, which changes when that has to begin anew. */
  get #folder(): string {
    return `${this.#room.directory}/${FOLDER}`;
  }

  /** Bytes that all files of a log's directory take as `du` counts them. */
  static measure(directory: string): number {
    return bytesBelow(`${directory}/${FOLDER}`);
  }

  /** Runs when not too many files are open. */
  inTurn<T>(operate: () => Promise<T>): Promise<T> {
    return this.#open.run(operate);
  }

  /**
   * Takes room and runs what makes use of it, all of it to the reference.
   *
   * @returns `undefined` when there is no room.
   */
  async withRoom<T>(bytes: number, write: () => Promise<T>): Promise<T | undefined> {
    if (!await this.reserve(bytes)) return undefined;
    const writing = write();
    const settled = writing.catch(() => {}).finally(() => this.#writes.delete(settled));
    this.#writes.add(settled);
    return await writing;
  }

  /** Whether a file is on the disk before it counts as written. */
  get isDurable(): boolean {
    return this.#isDurable;
  }

  /** Takes room. @returns whether there is some. */
  reserve(bytes: number): Promise<boolean> {
    // One after another, so that those that wait for room take it from those before them only.
    const reserving = this.#reserving.then(() => this.#reserve(bytes));
    this.#reserving = reserving.catch(() => {});
    return reserving;
  }

  /** Gives room back that was taken and is not used. */
  release(bytes: number): void {
    if (bytes > 0) this.#room.release(bytes);
  }

  /** Makes a file, to be written piece by piece into room that is taken as it grows. */
  create({ name }: LargeFile): Promise<number> {
    return this.#create(`${this.#folder}/${name}`);
  }

  /** Ends a file that was made by {@linkcode LargeFiles.create}, which is closed after that. */
  async finish(fd: number): Promise<void> {
    if (this.#isDurable) {
      await this.#disk.sync(fd);
      await this.#syncFolder();
    }
    if (--this.#untilLook <= 0) await this.#countFolder();
  }

  /** Whether a file is there as it was written: one that stood still for long may have been taken for left over. */
  async isWhole({ name, bytes }: LargeFile): Promise<boolean> {
    try {
      return (await this.#disk.status(`${this.#folder}/${name}`)).size === bytes;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      throw error;
    }
  }

  /** Removes a file that was not finished. @param bytes what it has taken. */
  discard({ name }: LargeFile, bytes: number): Promise<void> {
    return this.#discard(`${this.#folder}/${name}`, bytes);
  }

  /**
   * Opens a file for reading piece by piece.
   *
   * @returns `undefined` when it is not there.
   * @throws {CacheError} `"corrupt"` when it is no file.
   */
  async open({ name }: LargeFile): Promise<number | undefined> {
    const path = `${this.#folder}/${name}`;
    try {
      return await this.#disk.openToRead(path);
    } catch (error) {
      const code = errnoOf(error);
      if (code === "ENOENT" || code === "ENOTDIR") return undefined;
      throw code === "ELOOP" || code === "ENXIO" ? notWhole(path, error) : error;
    }
  }

  /**
   * Writes a file into room that was taken. A full disk gets a second chance,
   * after room was made. Nothing is left of the file when that fails, and its
   * room is given back.
   */
  async write({ name, bytes }: LargeFile, frame: Uint8Array): Promise<void> {
    const path = `${this.#folder}/${name}`;
    try {
      await this.#write(path, frame).catch(async (error: unknown) => {
        if (!isDiskFull(error)) throw error;
        await this.#unlink(path);
        await this.#room.relieve(bytes);
        await this.#write(path, frame);
      });
    } catch (error) {
      this.#room.core.health.writeFailed(error);
      await this.#discard(path, bytes);
      throw error;
    }
  }

  async #write(path: string, frame: Uint8Array): Promise<void> {
    const fd = await this.#create(path);
    try {
      for (let at = 0; at < frame.length;) {
        const written = await this.#disk.write(fd, frame.subarray(at), at);
        if (written === 0) throw new Error(`Cannot write ${path}: nothing was taken`);
        at += written;
      }
      if (this.#isDurable) await this.#disk.sync(fd);
    } finally {
      this.#disk.close(fd);
    }
    if (this.#isDurable) await this.#syncFolder();
    if (--this.#untilLook <= 0) await this.#countFolder();
  }

  /**
   * Reads a file.
   *
   * @returns `undefined` when it is not there.
   * @throws {CacheError} `"corrupt"` when it is cut or no file.
   * @throws what the system says.
   */
  read({ name, bytes }: LargeFile): Promise<Uint8Array | undefined> {
    return this.#open.run(async () => {
      const path = `${this.#folder}/${name}`;
      const fd = await this.open({ name, bytes });
      if (fd === undefined) return undefined;
      try {
        if (bytes > MAX_WHOLE_FRAME_BYTES) await this.#assertNoStream(fd);
        const frame = new Uint8Array(bytes);
        for (let at = 0; at < bytes;) {
          const count = await this.#disk.read(fd, frame.subarray(at), at);
          if (count === 0) throw notWhole(path);
          at += count;
        }
        return frame;
      } catch (error) {
        const code = errnoOf(error);
        throw code === "EISDIR" || code === "ESPIPE" ? notWhole(path, error) : error;
      } finally {
        this.#disk.close(fd);
      }
    }).catch((error: unknown) => {
      if (!(error instanceof CacheError)) this.#room.core.health.readFailed(error);
      throw error;
    });
  }

  /** Removes a file that nothing refers to any more. Its room is given back. */
  remove({ name, bytes }: LargeFile): Promise<void> {
    const removal = this.#remove(name, bytes).finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
    return removal;
  }

  /** Resolves when what was to be removed is. */
  async settled(): Promise<void> {
    while (this.#removals.size > 0) await Promise.all(this.#removals);
  }

  /**
   * Removes files that a process left which died between file and reference,
   * or between the end of a reference and that of its file.
   *
   * @param references gives the bodies of all references, as of its call.
   * @returns whether there are some that are too young to tell.
   */
  async sweep(references: () => readonly Uint8Array[], clock: Clock): Promise<boolean> {
    let names: readonly string[];
    try {
      names = await this.#disk.list(this.#folder);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      throw error;
    }
    // Listed before: what came into being since then is in neither.
    const left = new Set(names.filter(isFileName));
    if (left.size === 0) return false;
    let isSomeYoung = false;
    for (const body of references()) left.delete(nameIn(body));
    for (const name of left) {
      try {
        const status = await this.#disk.status(`${this.#folder}/${name}`);
        if (status.kind !== "file") continue;
        if (status.mtimeMs > clock.now() - ORPHAN_AGE_MS) isSomeYoung = true;
        else await this.#remove(name, bytesOnDisk(status));
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") throw error;
      }
    }
    return isSomeYoung;
  }

  /** Waits for what others give back, or can be made to give back once they are written. */
  async #reserve(bytes: number): Promise<boolean> {
    let isFlushed = false;
    let waits = 0;
    while (!await this.#room.reserve(bytes)) {
      const awaited = [...this.#removals, ...this.#writes];
      if (awaited.length > 0) {
        await Promise.race(awaited);
      } else if (isFlushed) {
        if (++waits > MAX_WAITS || !await this.#room.waitForOthers()) return false;
      } else {
        isFlushed = true;
        await this.#room.flush();
      }
    }
    return true;
  }

  async #remove(name: string, bytes: number): Promise<void> {
    try {
      await this.#disk.unlink(`${this.#folder}/${name}`);
    } catch {
      // It is gone, and whoever removed it gave its room back; or it stays, counts, and is swept later.
      return;
    }
    this.#room.release(bytes);
  }

  async #discard(path: string, bytes: number): Promise<void> {
    if (await this.#unlink(path)) this.#room.release(bytes);
  }

  /** @returns whether there is no such file any more. */
  async #unlink(path: string): Promise<boolean> {
    try {
      await this.#disk.unlink(path);
      return true;
    } catch (error) {
      return errnoOf(error) === "ENOENT";
    }
  }

  async #create(path: string): Promise<number> {
    try {
      return await this.#disk.openToWrite(path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      await this.#disk.makeDirectory(this.#folder);
      return await this.#disk.openToWrite(path);
    }
  }

  /** @throws {CacheError} `"too-large"` when a file is of a frame that is read as a stream only. */
  async #assertNoStream(fd: number): Promise<void> {
    const start = new Uint8Array(8);
    await this.#disk.read(fd, start, 0);
    if (isStreamFrame(start)) assertFitsMemory(Infinity, MAX_WHOLE_FRAME_BYTES);
  }

  async #syncFolder(): Promise<void> {
    const fd = await this.#disk.openDirectory(this.#folder);
    try {
      await this.#disk.sync(fd);
    } finally {
      this.#disk.close(fd);
    }
  }

  /** Sets aside what the folder itself takes. The log counts its first block, so that this is ahead of the folder by one. */
  async #countFolder(): Promise<void> {
    this.#untilLook = FILES_BETWEEN_LOOKS;
    const bytes = bytesOnDisk(await this.#disk.status(this.#folder));
    const growth = bytes - this.#folderBytes;
    if (growth <= 0) return;
    this.#folderBytes = bytes;
    await this.#room.reserve(growth);
  }
}

function notWhole(path: string, cause?: unknown): CacheError {
  return new CacheError("corrupt", `Cannot read ${path}: it is no whole value`, { cause });
}
