import { CacheEntry } from "../../src/entry/entry.ts";
import { CacheError } from "../../src/errors.ts";
import type { MaybePromise } from "../../src/maybe_promise.ts";
import type { BackendContext } from "../../src/types.ts";
import { fileOf, type LargeFile, type LargeFiles } from "./large_files.ts";
import type { StoredEntry } from "./log/reader.ts";
import { isSame } from "./log/same_bytes.ts";
import type { SegmentLog } from "./log/segment_log.ts";

/** Reads of a value whose file was replaced while it was read; the last one is a miss. */
const MAX_READS = 16;

/** Makes entries of what a log has. What is damaged is dropped, told, and a miss. */
export class StoredEntries {
  /** Frames met that another version has written. */
  foreignFrames = 0;
  readonly #log: SegmentLog;
  readonly #files: LargeFiles;
  readonly #context: BackendContext;

  constructor(log: SegmentLog, files: LargeFiles, context: BackendContext) {
    this.#log = log;
    this.#files = files;
    this.#context = context;
  }

  /** The entry of what the log has under a key, from its file where it names one. Never throws. */
  of(key: string, { body, isReference }: StoredEntry): MaybePromise<CacheEntry | undefined> {
    return isReference ? this.#readLarge(key, body) : this.decode(key, body);
  }

  /** The entry of a frame; one that is damaged is a miss. */
  decode(key: string, frame: Uint8Array): CacheEntry | undefined {
    try {
      return CacheEntry.decode(key, frame);
    } catch (error) {
      this.#damaged(key, error);
      return undefined;
    }
  }

  /** Reads a file. One that is not there may have been replaced by another meanwhile. */
  async #readLarge(key: string, reference: Uint8Array): Promise<CacheEntry | undefined> {
    let body = reference;
    for (let reads = 1; reads <= MAX_READS; reads++) {
      const file = fileOf(body);
      let damage: unknown = new CacheError("corrupt", "Cannot read value: its file is gone", {
        key,
      });
      try {
        const frame = file && await this.#files.read(file);
        if (frame !== undefined) return CacheEntry.decode(key, frame);
        this.#log.refresh();
      } catch (error) {
        damage = error;
      }
      const now = await this.#log.get(key);
      if (now === undefined) return undefined;
      if (!now.isReference) return this.decode(key, now.body);
      if (isSame(now.body, body)) {
        this.#damaged(key, damage, file);
        return undefined;
      }
      body = now.body;
    }
    return undefined;
  }

  /** Makes a damaged value a miss. What another version has written is left to that version. */
  #damaged(key: string, error: unknown, file?: LargeFile): void {
    const { report } = this.#context;
    if (!(error instanceof CacheError)) {
      const failure = new CacheError("backend", "Cannot read value: the disk fails", {
        key,
        cause: error,
      });
      report({ kind: "error", key, error: failure });
      return;
    }
    if (error.code === "corrupt") {
      this.#log.forget(key);
      if (file !== undefined) this.#files.remove(file);
    } else if (error.code !== "too-large") {
      this.foreignFrames++;
    }
    report({ kind: "corrupt", key, error });
  }
}
