import { loadSnapshotFiles } from "../builtins.ts";
import { CacheError } from "../errors.ts";

/** Takes the keys that change after a snapshot was made. */
export interface ChangeList {
  /** Appends; what was appended outlives the process. Throws when it cannot. */
  append(bytes: Uint8Array): void;
  /** Ends it; the file stays. */
  close(): void;
}

/** The files of snapshots, where the runtime has any. */
export interface SnapshotFiles {
  /** The bytes of a snapshot in pieces; `undefined` when there is none. */
  open(path: string): Promise<AsyncGenerator<Uint8Array> | undefined>;
  /**
   * Writes the snapshot of an id as a whole: until its last byte is safe, what
   * was there stays. Removes what killed processes left beside it long ago.
   *
   * @returns its length in bytes.
   */
  write(path: string, pieces: AsyncIterable<Uint8Array>, id: number): Promise<number>;
  /** Begins the list of changes of the snapshot of an id. */
  openChanges(path: string, id: number): ChangeList;
  /** What such a list holds; `undefined` when there is none. */
  readChanges(path: string, id: number): Promise<Uint8Array | undefined>;
  /** Removes a snapshot, at once. Throws when it cannot. */
  discard(path: string): void;
  /** Removes the list of a snapshot. Never fails. */
  removeChanges(path: string, id: number): Promise<void>;
}

/**
 * The files of snapshots.
 *
 * @throws {CacheError} `"unavailable"` where the runtime has no files.
 */
export async function snapshotFiles(subject: string): Promise<SnapshotFiles> {
  const files = await loadSnapshotFiles();
  if (files !== undefined) return files;
  throw new CacheError("unavailable", `${subject}: a snapshot needs a server runtime`);
}
