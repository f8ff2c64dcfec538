import * as fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { CacheError } from "../src/errors.ts";
import type { ChangeList, SnapshotFiles } from "../src/warming/snapshot_files.ts";

/** A pipe that stands where a snapshot should be must not hold the reader. */
const { O_RDONLY, O_NONBLOCK = 0 } = fs.constants;

/** Others than the owner have no business with cached values. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

const PIECE_BYTES = 1024 * 1024;

/** What a dead process left is removed after this many milliseconds. */
const LEFTOVER_MS = 3_600_000;

/** Snapshots in the file system of the machine. */
export const nodeSnapshotFiles: SnapshotFiles = {
  async open(path) {
    let file: fs.promises.FileHandle;
    try {
      file = await fs.promises.open(path, O_RDONLY | O_NONBLOCK);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
    if ((await file.stat()).isFile()) return piecesOf(file);
    await file.close();
    throw new CacheError("unsupported-format", "Cannot read snapshot: it is no file");
  },

  async write(path, pieces, id) {
    const folder = dirname(path);
    await fs.promises.mkdir(folder, { recursive: true, mode: DIRECTORY_MODE });
    await assertReplaceable(path);
    const temporary = `${path}.${crypto.randomUUID()}.tmp`;
    const file = await fs.promises.open(temporary, "wx", FILE_MODE);
    let length = 0;
    try {
      try {
        for await (const piece of pieces) {
          await file.writeFile(piece);
          length += piece.length;
        }
        await file.sync();
      } finally {
        await file.close();
      }
      await fs.promises.rename(temporary, path);
    } catch (error) {
      await fs.promises.rm(temporary, { force: true });
      throw error;
    }
    await syncFolder(folder);
    await removeLeftovers(path, id);
    return length;
  },

  openChanges(path, id): ChangeList {
    fs.mkdirSync(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
    let fd: number | undefined = fs.openSync(changesPath(path, id), "a", FILE_MODE);
    return {
      append(bytes) {
        if (fd === undefined || fs.writeSync(fd, bytes) !== bytes.length) {
          throw new Error("Cannot note what has changed: it was not written as a whole");
        }
      },
      close() {
        if (fd !== undefined) fs.closeSync(fd);
        fd = undefined;
      },
    };
  },

  async readChanges(path, id) {
    try {
      return await fs.promises.readFile(changesPath(path, id));
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  },

  discard(path) {
    fs.rmSync(path, { force: true });
  },

  async removeChanges(path, id) {
    await remove(changesPath(path, id));
  },
};

/** @throws {CacheError} `"unsupported-format"` for a link, folder or device in the place of the file. */
async function assertReplaceable(path: string): Promise<void> {
  const status = await fs.promises.lstat(path).catch((error) => {
    if (isAbsent(error)) return undefined;
    throw error;
  });
  if (status === undefined || status.isFile()) return;
  throw new CacheError(
    "unsupported-format",
    "Cannot write snapshot: there is no plain file in its place",
  );
}

async function* piecesOf(file: fs.promises.FileHandle): AsyncGenerator<Uint8Array> {
  try {
    while (true) {
      const piece = new Uint8Array(PIECE_BYTES);
      const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, null);
      if (bytesRead === 0) return;
      yield piece.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** Removes what processes left beside a snapshot that were killed while they made one. */
async function removeLeftovers(path: string, id: number): Promise<void> {
  const [folder, own] = [dirname(path), `${basename(path)}.`];
  const names = await fs.promises.readdir(folder).catch(() => []);
  for (const name of names) {
    if (!name.startsWith(own) || !/\.(?:tmp|changes)$/.test(name)) continue;
    // The list of this snapshot may be old: nothing has changed.
    if (name === basename(changesPath(path, id))) continue;
    const left = await fs.promises.stat(join(folder, name)).catch(() => undefined);
    if (left !== undefined && Date.now() - left.mtimeMs > LEFTOVER_MS) {
      await remove(join(folder, name));
    }
  }
}

/** The new name is to be on the disk as well; not every system can be asked for that. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.promises.open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

function changesPath(path: string, id: number): string {
  return `${path}.${id.toString(36)}.changes`;
}

async function remove(path: string): Promise<void> {
  await fs.promises.rm(path, { force: true }).catch(() => {});
}

function isAbsent(error: unknown): boolean {
  return (error as { code?: unknown }).code === "ENOENT";
}
