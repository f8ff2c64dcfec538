import { CacheError } from "../../../src/errors.ts";
import type { StampClock } from "./stamp_clock.ts";
import type { BackendReport, Clock } from "../../../src/types.ts";
import type { Catalog } from "./catalog.ts";
import type { DirectoryWatch } from "./directory_watch.ts";
import type { FileCache } from "./file_cache.ts";
import type { FileLayer } from "./file_layer.ts";
import type { Health } from "./health.ts";
import type { Witness } from "./identity.ts";
import type { IoMeter } from "./io_meter.ts";
import type { KeyHash } from "../../_key_hash.ts";
import type { LogDirectory } from "./manifest.ts";

/**
 * When data is made durable against a power cut.
 *
 * - `none`: never; what `flush` has acknowledged survives the end of the process only.
 * - `segment`: when a segment is full, and by `flush`.
 * - `batch`: before each operation is acknowledged.
 */
export type Durability = "none" | "segment" | "batch";

/** What the parts of one open log share. */
export interface LogCore {
  readonly layer: FileLayer;
  readonly directory: LogDirectory;
  readonly watch: DirectoryWatch;
  readonly catalog: Catalog;
  readonly hash: KeyHash;
  /** Of the records that this process makes, as good as nobody else's. */
  readonly author: number;
  readonly stamps: StampClock;
  readonly clock: Clock;
  readonly stopwatch: () => number;
  readonly random: () => number;
  readonly health: Health;
  readonly meter: IoMeter;
  readonly files: FileCache;
  readonly witness: Witness;
  readonly durability: Durability;
  readonly segmentBytes: number;
  readonly maxBytes: number;
  readonly report: (report: BackendReport) => void;
  readonly counters: LogCounters;
}

/** What happened since open. */
export interface LogCounters {
  /** Bytes of records of puts, deletes and clears. */
  bytesPut: number;
  /** Bytes of records carried over from segments that were reclaimed. */
  bytesCarried: number;
  /** Damaged records and hints met. */
  corruptions: number;
  /** Segments unlinked to make room. */
  segmentsReclaimed: number;
}

/** The path of a file in the log's directory. */
export function pathOf(core: LogCore, name: string): string {
  return `${core.directory.path}/${name}`;
}

/** Tells that something is damaged. */
export function reportCorrupt(core: LogCore, what: string, key?: string): void {
  core.counters.corruptions++;
  core.report({ kind: "corrupt", key, error: new CacheError("corrupt", what, { key }) });
}

/** Tells that the disk failed. */
export function reportError(core: LogCore, what: string, cause?: unknown): void {
  core.report({ kind: "error", error: new CacheError("backend", what, { cause }) });
}

/** What there is to say to who uses a log that is closed. */
export function closedError(): CacheError {
  return new CacheError("closed", "Cannot use segment log: it is closed", {
    backend: "filesystem",
  });
}
