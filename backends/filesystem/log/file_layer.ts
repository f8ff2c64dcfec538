import * as fs from "node:fs";

/** How a file is opened: `create` fails when it is there, `write` and `read` when it is not. */
export type OpenMode = "read" | "write" | "create";

/** What tells one state of a directory from another. */
export interface DirectoryLook {
  /** Its number, which a later directory may get again. */
  readonly inode: number;
  /** When a name in it came or went last, epoch milliseconds. */
  readonly changedAt: number;
}

/**
 * The system calls of the log, one method each, so that tests can make any of
 * them fail, fall short or be recorded. Errors are those of node:fs, with a `code`.
 */
export interface FileLayer {
  /** Opens a file; `write` and `create` also read. */
  open(path: string, mode: OpenMode): number;
  /** Closes what {@linkcode FileLayer.open} gave. */
  close(file: number): void;
  /** Reads at a position; may fall short. @returns bytes read, 0 at the end. */
  read(file: number, into: Uint8Array, at: number, length: number, position: number): number;
  /** As {@linkcode FileLayer.read}, without holding up the event loop. */
  readAsync(
    file: number,
    into: Uint8Array,
    at: number,
    length: number,
    position: number,
  ): Promise<number>;
  /** Writes at a position; may fall short. @returns bytes written. */
  write(file: number, from: Uint8Array, at: number, length: number, position: number): number;
  /** As {@linkcode FileLayer.write}, without holding up the event loop. */
  writeAsync(
    file: number,
    from: Uint8Array,
    at: number,
    length: number,
    position: number,
  ): Promise<number>;
  /** Cuts a file. */
  truncate(file: number, length: number): void;
  /** Makes data and length of a file durable. */
  sync(file: number): void;
  /** As {@linkcode FileLayer.sync}, without holding up the event loop. */
  syncAsync(file: number): Promise<void>;
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): void;
  /** Length of a file. */
  size(path: string): number;
  /** Length of an open file. */
  sizeOf(file: number): number;
  /** Removes a name. */
  unlink(path: string): void;
  /** Gives a file a second name; fails when that is taken. */
  link(path: string, second: string): void;
  /** Names in a directory. */
  list(path: string): string[];
  /** Looks at a directory without reading it. */
  look(path: string): DirectoryLook;
  /** Makes a directory and those above it; one that exists is fine. */
  makeDirectory(path: string): void;
  /** The magic number of the file system, `undefined` where the runtime cannot tell. */
  fileSystem(path: string): number | undefined;
}

const OPEN_FLAGS: Readonly<Record<OpenMode, string>> = { read: "r", write: "r+", create: "wx+" };

/** The file layer over node:fs. */
export const nodeFileLayer: FileLayer = {
  open: (path, mode) => fs.openSync(path, OPEN_FLAGS[mode], 0o600),
  close: (file) => fs.closeSync(file),
  read: (file, into, at, length, position) => fs.readSync(file, into, at, length, position),
  readAsync: (file, into, at, length, position) =>
    new Promise((resolve, reject) =>
      fs.read(file, into, at, length, position, (error, count) => {
        if (error) reject(error);
        else resolve(count);
      })
    ),
  write: (file, from, at, length, position) => fs.writeSync(file, from, at, length, position),
  writeAsync: (file, from, at, length, position) =>
    new Promise((resolve, reject) =>
      fs.write(file, from, at, length, position, (error, count) => {
        if (error) reject(error);
        else resolve(count);
      })
    ),
  truncate: (file, length) => fs.ftruncateSync(file, length),
  sync: (file) => fs.fdatasyncSync(file),
  syncAsync: (file) =>
    new Promise((resolve, reject) =>
      fs.fdatasync(file, (error) => {
        if (error) reject(error);
        else resolve();
      })
    ),
  syncDirectory(path) {
    const directory = fs.openSync(path, "r");
    try {
      fs.fsyncSync(directory);
    } finally {
      fs.closeSync(directory);
    }
  },
  size: (path) => fs.statSync(path).size,
  sizeOf: (file) => fs.fstatSync(file).size,
  unlink: (path) => fs.unlinkSync(path),
  link: (path, second) => fs.linkSync(path, second),
  list: (path) => fs.readdirSync(path),
  look(path) {
    const { ino, mtimeMs } = fs.statSync(path);
    return { inode: ino, changedAt: mtimeMs };
  },
  makeDirectory(path) {
    fs.mkdirSync(path, { recursive: true, mode: 0o700 });
  },
  fileSystem(path) {
    // Runtimes differ in whether they have statfs; without it every file system counts as local.
    return typeof fs.statfsSync === "function" ? fs.statfsSync(path).type : undefined;
  },
};

/** The code of an error of a {@linkcode FileLayer}, `""` for other things. */
export function errorCode(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : "";
  return typeof code === "string" ? code : "";
}

/** Whether an error says that there is no room. */
export function isDiskFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(errorCode(error));
}

/** Passes over an error that says that there is no room. @throws {unknown} any other. */
export function exceptDiskFull(error: unknown): void {
  if (!isDiskFull(error)) throw error;
}

/** Reads until `length` bytes are there or the file ends. @returns bytes read. */
export function readFully(
  layer: FileLayer,
  file: number,
  into: Uint8Array,
  at: number,
  length: number,
  position: number,
): number {
  let done = 0;
  while (done < length) {
    let count: number;
    try {
      count = layer.read(file, into, at + done, length - done, position + done);
    } catch (error) {
      if (errorCode(error) === "EINTR") continue;
      throw error;
    }
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** As {@linkcode readFully}, without holding up the event loop. */
export async function readFullyAsync(
  layer: FileLayer,
  file: number,
  into: Uint8Array,
  at: number,
  length: number,
  position: number,
): Promise<number> {
  let done = 0;
  while (done < length) {
    let count: number;
    try {
      count = await layer.readAsync(file, into, at + done, length - done, position + done);
    } catch (error) {
      if (errorCode(error) === "EINTR") continue;
      throw error;
    }
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Writes all bytes, going on after short writes. */
export function writeFully(
  layer: FileLayer,
  file: number,
  from: Uint8Array,
  length: number,
  position: number,
): void {
  let done = 0;
  while (done < length) {
    try {
      done += accepted(layer.write(file, from, done, length - done, position + done));
    } catch (error) {
      if (errorCode(error) !== "EINTR") throw error;
    }
  }
}

/** As {@linkcode writeFully}, without holding up the event loop. */
export async function writeFullyAsync(
  layer: FileLayer,
  file: number,
  from: Uint8Array,
  length: number,
  position: number,
): Promise<void> {
  let done = 0;
  while (done < length) {
    try {
      done += accepted(await layer.writeAsync(file, from, done, length - done, position + done));
    } catch (error) {
      if (errorCode(error) !== "EINTR") throw error;
    }
  }
}

/**
 * Reads a small file whole.
 *
 * @param into is read into where it is large enough: the result is then a view of it.
 */
export function readFile(layer: FileLayer, path: string, into?: Uint8Array): Uint8Array {
  const file = layer.open(path, "read");
  try {
    const size = layer.sizeOf(file);
    const bytes = into !== undefined && into.length >= size ? into : new Uint8Array(size);
    return bytes.subarray(0, readFully(layer, file, bytes, 0, size, 0));
  } finally {
    layer.close(file);
  }
}

/** Writes a new small file; fails with EEXIST when there is one. */
export function createFile(
  layer: FileLayer,
  path: string,
  bytes: Uint8Array,
  durable: boolean,
): void {
  const file = layer.open(path, "create");
  try {
    writeFully(layer, file, bytes, bytes.length, 0);
    if (durable) layer.sync(file);
  } catch (error) {
    layer.close(file);
    removeFile(layer, path);
    throw error;
  }
  layer.close(file);
}

/** Writes the first bytes of a small file in place; makes it when there is none. */
export function overwriteFile(layer: FileLayer, path: string, bytes: Uint8Array): void {
  let file: number;
  try {
    file = layer.open(path, "write");
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    file = layer.open(path, "create");
  }
  try {
    writeFully(layer, file, bytes, bytes.length, 0);
  } finally {
    layer.close(file);
  }
}

/** Removes a file; one that is gone is fine. */
export function removeFile(layer: FileLayer, path: string): void {
  try {
    layer.unlink(path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}

function accepted(count: number): number {
  // A write that takes nothing and reports no error would loop for ever.
  if (count === 0) {
    throw Object.assign(new Error("Cannot write: no byte was taken"), { code: "EIO" });
  }
  return count;
}
