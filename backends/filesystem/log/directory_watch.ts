import { CacheError } from "../../../src/errors.ts";
import type { Clock } from "../../../src/types.ts";
import { type DirectoryLook, errorCode, type FileLayer } from "./file_layer.ts";
import { isManifestOf, type LogDirectory } from "./manifest.ts";

/**
 * Changes so close together may leave a directory with one and the same time,
 * where file systems count it in seconds, or in two of them.
 */
const COARSE_TIME_MS = 2_500;

/** The same where they count it by the tick of the kernel, or in hundredths. */
const FINE_TIME_MS = 100;

/**
 * Tells whether the directory of an open log is still the one that was opened,
 * and whether names in it may have come or gone since they were read.
 */
export class DirectoryWatch {
  /** Whether the directory was removed, or another one stands in its place. */
  isLost = false;
  readonly #layer: FileLayer;
  readonly #directory: LogDirectory;
  readonly #clock: Clock;
  #identified: DirectoryLook | undefined;
  #listed: DirectoryLook | undefined;
  #listedAt = 0;

  constructor(layer: FileLayer, directory: LogDirectory, clock: Clock) {
    this.#layer = layer;
    this.#directory = directory;
    this.#clock = clock;
  }

  /**
   * Whether the directory is the one that was opened. Once it was not, it never is again.
   *
   * @throws what the file layer throws when that cannot be told.
   */
  isSame(): boolean {
    return this.#look() !== undefined;
  }

  /**
   * The names in the directory.
   *
   * @throws {CacheError} `"unavailable"` when it is not the one that was opened.
   * @throws what the file layer throws.
   */
  list(): string[] {
    const found = this.#look();
    if (found === undefined) throw lostError(this.#directory.path);
    // Before the names are read: what comes in between is a change.
    this.#listed = found;
    this.#listedAt = this.#clock.now();
    return this.#layer.list(this.#directory.path);
  }

  /** Whether no name has come or gone since {@linkcode DirectoryWatch.list}; `false` also when that cannot be told. */
  isUnchanged(): boolean {
    const listed = this.#listed;
    // What comes soon after a change may not show in the time of the directory.
    if (listed === undefined) return false;
    const tick = Number.isInteger(listed.changedAt / 1000) ? COARSE_TIME_MS : FINE_TIME_MS;
    if (this.#listedAt - listed.changedAt <= tick) return false;
    try {
      return isEqual(this.#layer.look(this.#directory.path), listed);
    } catch {
      return false;
    }
  }

  #look(): DirectoryLook | undefined {
    if (this.isLost) return undefined;
    try {
      const found = this.#layer.look(this.#directory.path);
      // The number of a directory that was removed may be the next one's; its id is its own.
      const isKnown = this.#identified !== undefined && isEqual(found, this.#identified);
      if (isKnown || isManifestOf(this.#layer, this.#directory)) return this.#identified = found;
    } catch (error) {
      if (!["ENOENT", "ENOTDIR"].includes(errorCode(error))) throw error;
    }
    this.isLost = true;
    return undefined;
  }
}

/** What there is to say when the directory is not the one that was opened. */
export function lostError(path: string): CacheError {
  return new CacheError(
    "unavailable",
    `Cannot go on in segment log in ${path}: the directory was removed or replaced while it was open: what it held is gone, and it is begun anew`,
    { backend: "filesystem" },
  );
}

function isEqual(a: DirectoryLook, b: DirectoryLook): boolean {
  return a.inode === b.inode && a.changedAt === b.changedAt;
}
