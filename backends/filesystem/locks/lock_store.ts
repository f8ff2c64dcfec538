import { CacheError } from "../../../src/errors.ts";
import type { MaybePromise } from "../../../src/maybe_promise.ts";
import { type LogCore, reportCorrupt } from "../log/core.ts";
import { DirectoryLock } from "../log/directory_lock.ts";
import { errorCode, overwriteFile, readFile } from "../log/file_layer.ts";
import { removeDead } from "../log/leftovers.ts";
import { blocksOf } from "../log/segment.ts";
import { decodeTable, emptyTable, encodeTable, type LockTable } from "./lock_table.ts";

const FOLDER = "locks";
const MUTEX = "mutex.lock";
const SLOTS = ["0.table", "1.table"] as const;
/** The folder, a small table twice, the mutex and the file it is made from. */
const FIRST_BYTES = 5 * 4096;
const RETRY_MS = 1;
/** A mutex is held for some 100 microseconds, unless its holder is frozen just then. */
const PATIENCE_MS = 5_000;

/** What {@linkcode LockStore} needs of the log whose directory it is in. */
export interface LockHost {
  /** What the log works with right now; it changes when the log has to begin anew. */
  readonly core: LogCore;
  /** Takes room for files beside the log. */
  reserve(bytes: number): MaybePromise<boolean>;
}

/** The table of the locks in a directory, changed by one process at a time. */
export class LockStore {
  readonly #host: LockHost;
  #tidied: string | undefined;

  constructor(host: LockHost) {
    this.#host = host;
  }

  /**
   * Reads the table, changes it, and writes it back, as one step for all processes.
   *
   * @param change is given the locks and the newest fencing number; gives the
   * number from now on, or `undefined` when nothing has changed.
   * @throws {CacheError} `"unavailable"` where several machines may share the directory, or when another process holds it up.
   * @throws what the file layer throws.
   */
  async update(
    change: (table: LockTable) => number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const began = this.#host.core.stopwatch();
    for (;;) {
      signal?.throwIfAborted();
      const { core } = this.#host;
      const { clock, stopwatch, witness } = core;
      if (!witness.isLocal) {
        throw unavailable(
          "it is on a network file system, where locks do not hold between machines",
        );
      }
      const outcome = this.#tryUpdate(core, change);
      if (outcome === "done") return;
      if (outcome === "busy") {
        if (stopwatch() - began > PATIENCE_MS) throw unavailable("another process holds its mutex");
        await new Promise<void>((resolve) => clock.schedule(resolve, RETRY_MS, true));
      } else {
        await this.#grow(core, outcome);
      }
    }
  }

  /** @returns `"busy"` while another has the mutex, or bytes of room that are needed first. */
  #tryUpdate(
    core: LogCore,
    change: (table: LockTable) => number | undefined,
  ): "done" | "busy" | number {
    const { layer, witness } = core;
    const folder = folderOf(core);
    const mutex = new DirectoryLock(layer, folder, MUTEX, witness);
    try {
      if (!mutex.tryAcquire()) return "busy";
    } catch (error) {
      if (errorCode(error) === "ENOENT") return FIRST_BYTES;
      throw error;
    }
    try {
      if (this.#tidied !== witness.self.token) {
        removeDead(core, folder, layer.list(folder).filter((name) => name !== MUTEX));
        this.#tidied = witness.self.token;
      }
      const { table, lengths } = this.#read(core, folder);
      const fence = change(table);
      if (fence === undefined) return "done";
      const writing = table.writing + 1;
      const bytes = encodeTable({ ...table, writing, fence });
      const slot = writing % SLOTS.length;
      const growth = blocksOf(bytes.length) - Math.max(4096, blocksOf(lengths[slot]!));
      if (growth > this.#granted) return growth - this.#granted;
      this.#granted -= Math.max(0, growth);
      overwriteFile(core.layer, `${folder}/${SLOTS[slot]}`, bytes);
      return "done";
    } finally {
      mutex.release();
    }
  }

  /** Room that was taken for the next growth of a table. */
  #granted = 0;

  async #grow(core: LogCore, bytes: number): Promise<void> {
    if (!await this.#host.reserve(bytes)) {
      throw new CacheError("backend", "Cannot lock: there is no room within the limit", {
        backend: "filesystem",
      });
    }
    if (bytes === FIRST_BYTES) core.layer.makeDirectory(folderOf(core));
    else this.#granted += bytes;
  }

  #read(core: LogCore, folder: string): { table: LockTable; lengths: number[] } {
    let newest: LockTable | undefined;
    let damaged = 0;
    const lengths = SLOTS.map((name) => {
      let bytes: Uint8Array;
      try {
        bytes = readFile(core.layer, `${folder}/${name}`);
      } catch (error) {
        if (errorCode(error) !== "ENOENT") throw error;
        return 0;
      }
      const table = decodeTable(bytes);
      if (table === "unknown") {
        throw unavailable("its table of locks has a format of another version");
      }
      if (table === undefined) damaged++;
      else if (newest === undefined || table.writing > newest.writing) newest = table;
      return bytes.length;
    });
    if (newest === undefined && damaged > 0) {
      reportCorrupt(core, "Cannot read table of locks: locks that were held are lost");
    }
    return { table: newest ?? emptyTable(), lengths };
  }
}

/** The folder of a log's locks. */
export function lockFolder(directory: string): string {
  return `${directory}/${FOLDER}`;
}

function folderOf({ directory }: LogCore): string {
  return lockFolder(directory.path);
}

function unavailable(why: string): CacheError {
  return new CacheError("unavailable", `Cannot lock in this directory: ${why}`, {
    backend: "filesystem",
  });
}
