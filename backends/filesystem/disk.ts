import * as fs from "node:fs";
import { dirname } from "node:path";

/** What lies at a path, as far as the backend asks. */
export interface FileStatus {
  /** Length in bytes. */
  readonly size: number;
  /** Blocks of 512 bytes taken on the disk; absent where the system does not say. */
  readonly blocks: number | undefined;
  /** Last change of the content, epoch milliseconds. */
  readonly mtimeMs: number;
  /** What it is. */
  readonly kind: "file" | "directory" | "other";
}

/**
 * The calls of the file system that the backend makes, and no others. Tests
 * put one in between that fails, counts or records.
 */
export interface Disk {
  /** Opens an existing file for reading; a symbolic link is refused, nothing is waited for. */
  openToRead(path: string): Promise<number>;
  /** Makes a file that is not there yet. */
  openToWrite(path: string): Promise<number>;
  /** Reads at a position; resolves to the number of bytes, 0 at the end. */
  read(fd: number, into: Uint8Array, position: number): Promise<number>;
  /** Writes at a position; resolves to the number of bytes. */
  write(fd: number, bytes: Uint8Array, position: number): Promise<number>;
  /** Waits until an open file, or directory, is on the disk. */
  sync(fd: number): Promise<void>;
  /** Opens a directory to be synced. */
  openDirectory(path: string): Promise<number>;
  /** Lets go of an open file. At once: nothing of it can wait on a local disk. */
  close(fd: number): void;
  /** Removes a file. */
  unlink(path: string): Promise<void>;
  /** Removes an empty directory. */
  removeDirectory(path: string): Promise<void>;
  /** Makes a directory and those above it. */
  makeDirectory(path: string): Promise<void>;
  /** The names in a directory. */
  list(path: string): Promise<string[]>;
  /** What lies at a path, links not followed. */
  status(path: string): Promise<FileStatus>;
}

const { O_RDONLY, O_DIRECTORY = 0, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = fs.constants;

/** Others than the owner have no business with cached values. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** The file system of the machine. */
export const nodeDisk: Disk = {
  // O_NONBLOCK: a pipe that stands where an entry should be must not hold the reader.
  openToRead: (path) => call((done) => fs.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, done)),
  openToWrite: (path) => call((done) => fs.open(path, "wx", FILE_MODE, done)),
  read: (fd, into, position) => call((done) => fs.read(fd, into, 0, into.length, position, done)),
  write: (fd, bytes, position) =>
    call((done) => fs.write(fd, bytes, 0, bytes.length, position, done)),
  sync: (fd) => call((done) => fs.fsync(fd, done)),
  openDirectory: (path) => call((done) => fs.open(path, O_RDONLY | O_DIRECTORY, done)),
  close: (fd) => fs.closeSync(fd),
  unlink: (path) => call((done) => fs.unlink(path, done)),
  removeDirectory: (path) => call((done) => fs.rmdir(path, done)),
  makeDirectory: makeDirectories,
  list: (path) => call((done) => fs.readdir(path, done)),
  status: async (path) => statusFrom(await call((done) => fs.lstat(path, done))),
};

/** Finds out whether the folder can be made and written. */
export async function probe(disk: Disk, folder: string): Promise<void> {
  await disk.makeDirectory(folder);
  const path = `${folder}/${crypto.randomUUID()}.tmp`;
  const fd = await disk.openToWrite(path);
  try {
    await disk.write(fd, new Uint8Array(1), 0);
  } finally {
    disk.close(fd);
  }
  try {
    await disk.unlink(path);
  } catch (error) {
    // Another process that makes room takes it for what a dead one left.
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

/** Bytes that `du` counts for a path and all below it; 0 for what is not there. Synchronous. */
export function bytesBelow(path: string): number {
  let status: fs.Stats;
  try {
    status = fs.lstatSync(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return 0;
    throw error;
  }
  let bytes = bytesOnDisk(statusFrom(status));
  if (status.isDirectory()) {
    for (const name of fs.readdirSync(path)) bytes += bytesBelow(`${path}/${name}`);
  }
  return bytes;
}

/** Bytes that a file takes on the disk. */
export function bytesOnDisk({ size, blocks }: FileStatus): number {
  return blocks === undefined ? Math.ceil(size / 4096) * 4096 : blocks * 512;
}

/** The system's name of an error, such as `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
  const code: unknown = typeof error === "object" && error !== null && "code" in error
    ? error.code
    : undefined;
  return typeof code === "string" ? code : undefined;
}

/**
 * Makes a directory and those above it. Node's own `recursive` asks for ever
 * where the parent is there and the system still says ENOENT, as below /proc,
 * and its thread outlives the program.
 */
async function makeDirectories(path: string): Promise<void> {
  const make = (): Promise<void> =>
    call<void>((done) => fs.mkdir(path, { mode: DIRECTORY_MODE }, done));
  try {
    await make();
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" || dirname(path) === path) {
      return await assertDirectory(path, error);
    }
    await makeDirectories(dirname(path));
    await make().catch((again) => assertDirectory(path, again));
  }
}

/** @throws {unknown} `error` when there is no directory at a path, nor a link to one; ENOENT when what was there is gone. */
async function assertDirectory(path: string, error: unknown): Promise<void> {
  const stats = await call<fs.Stats>((done) => fs.stat(path, done)).catch(() => undefined);
  if (stats?.isDirectory()) return;
  if (errnoOf(error) === "EEXIST") {
    // It may have been removed, and even made again, since.
    const now = await call<fs.Stats>((done) => fs.lstat(path, done));
    if (now.isDirectory()) return;
  }
  throw error;
}

function call<T>(start: (done: (error: Error | null, result?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, result) => {
      if (error) reject(error);
      else resolve(result as T);
    });
  });
}

function statusFrom(stats: fs.Stats): FileStatus {
  const { size, mtimeMs } = stats;
  const blocks: number | undefined = stats.blocks ?? undefined;
  const kind = stats.isFile() ? "file" : stats.isDirectory() ? "directory" : "other";
  return { size, blocks, mtimeMs, kind };
}
