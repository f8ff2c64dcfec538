import { CacheError } from "../../src/errors.ts";
import {
  decodeFrameHeader,
  decodeKey,
  FRAME_HEADER_BYTES,
  type FrameHeader,
} from "../../src/entry/frame.ts";
import { type Disk, errnoOf } from "./disk.ts";

/**
 * Read at first where the length is not known. The key stands behind the value:
 * of most entries one call gets all, and a call costs more than the bytes.
 */
const FIRST_READ_BYTES = 16 * 1024;

/**
 * Read at first at most: a file may have grown beyond what its header says, and
 * nothing that large is made before the header has been read.
 */
const MAX_FIRST_READ_BYTES = 1024 * 1024;

/** What an entry's file tells without its value. */
export interface FileHead {
  /** The frame's header. */
  readonly header: FrameHeader;
  /** The key in the frame. */
  readonly key: string;
}

/**
 * Reads a file as a whole, in a buffer of its own that starts with the file.
 *
 * @param expectedBytes its length as far as it is known; a wrong one costs time only.
 * @returns `undefined` when there is no file.
 * @throws {CacheError} `"corrupt"` when what is there is no file or no frame.
 */
export function readFrame(
  disk: Disk,
  path: string,
  expectedBytes: number | undefined,
): Promise<Uint8Array | undefined> {
  return withFile(disk, path, async (fd) => {
    const expected = Math.max(FRAME_HEADER_BYTES, expectedBytes ?? FIRST_READ_BYTES);
    const guess = new Uint8Array(Math.min(expected, MAX_FIRST_READ_BYTES));
    const read = await readAtLeast(disk, fd, guess, FRAME_HEADER_BYTES);
    const { frameLength } = decodeFrameHeader(guess.subarray(0, read));
    if (frameLength > read) {
      // A damaged header has been refused, yet a file need not be as long as its header says.
      if ((await disk.statusOf(fd)).size < frameLength) throw notWhole(path);
    }
    // No more than the frame: who keeps a view of it keeps its buffer.
    const frame = frameLength === guess.length ? guess : new Uint8Array(frameLength);
    if (frame !== guess) frame.set(guess.subarray(0, Math.min(read, frameLength)));
    for (let at = read; at < frameLength;) {
      const more = await disk.read(fd, frame.subarray(at), at);
      if (more === 0) throw notWhole(path);
      at += more;
    }
    return frame;
  });
}

/**
 * Reads times and key of an entry's file, and not its value.
 *
 * @returns `undefined` when there is no file.
 * @throws {CacheError} `"corrupt"` when what is there is no file or no frame.
 */
export function readHead(disk: Disk, path: string): Promise<FileHead | undefined> {
  return withFile(disk, path, (fd) => headOf(disk, fd, path));
}

/** Makes a file of these bytes, on the disk when `sync` is asked for. */
export async function writeFile(
  disk: Disk,
  path: string,
  bytes: Uint8Array,
  sync: boolean,
): Promise<void> {
  const fd = await disk.openToWrite(path);
  try {
    for (let at = 0; at < bytes.length;) {
      const written = await disk.write(fd, at === 0 ? bytes : bytes.subarray(at), at);
      if (written === 0) throw new Error(`Cannot write ${path}: nothing was taken`);
      at += written;
    }
    if (sync) await disk.sync(fd);
  } finally {
    disk.close(fd);
  }
}

/** Waits until a file is on the disk; one that is gone needs no waiting. */
export async function syncFile(disk: Disk, path: string): Promise<void> {
  await withFile(disk, path, async (fd) => {
    await disk.sync(fd);
    return true;
  });
}

/** `undefined` for an error that says the bytes are no frame of ours; others are thrown on. */
export function undefinedWhenDamaged(error: unknown): undefined {
  if (isDamage(error)) return undefined;
  throw error;
}

/** Whether an error says that the bytes are no frame of ours, rather than that the disk fails. */
export function isDamage(error: unknown): error is CacheError {
  return error instanceof CacheError &&
    (error.code === "corrupt" || error.code === "unsupported-format");
}

async function headOf(disk: Disk, fd: number, path: string): Promise<FileHead> {
  const start = new Uint8Array(FIRST_READ_BYTES);
  const read = await readAtLeast(disk, fd, start, FRAME_HEADER_BYTES);
  const header = decodeFrameHeader(start.subarray(0, read));
  const keyStart = header.frameLength - header.tagsLength - header.keyLength;
  const keyEnd = keyStart + header.keyLength;
  let keyBytes = start.subarray(keyStart, keyEnd);
  if (keyEnd > read) {
    if ((await disk.statusOf(fd)).size < header.frameLength) throw notWhole(path);
    keyBytes = new Uint8Array(header.keyLength);
    for (let at = 0; at < keyBytes.length;) {
      const more = await disk.read(fd, keyBytes.subarray(at), keyStart + at);
      if (more === 0) throw notWhole(path);
      at += more;
    }
  }
  return { header, key: decodeKey(keyBytes, header.utf16Key) };
}

/** Opens, reads and closes; what stands in the way of that is told apart here. */
async function withFile<T>(
  disk: Disk,
  path: string,
  use: (fd: number) => Promise<T>,
): Promise<T | undefined> {
  let fd: number;
  try {
    fd = await disk.openToRead(path);
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    // A link, or a socket, where an entry should be.
    if (code === "ELOOP" || code === "ENXIO") throw notWhole(path, error);
    throw error;
  }
  try {
    return await use(fd);
  } catch (error) {
    const code = errnoOf(error);
    // A directory or a pipe.
    if (code === "EISDIR" || code === "ESPIPE") throw notWhole(path, error);
    throw error;
  } finally {
    disk.close(fd);
  }
}

/** Reads from the start until so many bytes are there or the file ends. One call as a rule. */
async function readAtLeast(
  disk: Disk,
  fd: number,
  into: Uint8Array,
  least: number,
): Promise<number> {
  let total = 0;
  while (total < least) {
    const read = await disk.read(fd, total === 0 ? into : into.subarray(total), total);
    if (read === 0) break;
    total += read;
  }
  return total;
}

function notWhole(path: string, cause?: unknown): CacheError {
  return new CacheError("corrupt", `Cannot read ${path}: it is no whole entry`, { cause });
}
