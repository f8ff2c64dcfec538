import type { MaybePromise } from "../../../src/maybe_promise.ts";
import type { EvictionPolicyFactory } from "../../../src/eviction/eviction_policy.ts";
import type { BackendReport, Clock } from "../../../src/types.ts";
import type { Durability } from "./core.ts";
import type { FileLayer } from "./file_layer.ts";
import type { ProcessTable } from "./identity.ts";
import type { IoMode } from "./io_meter.ts";

/** Files beside the log that references name, which count towards its limit. */
export interface ExternalFiles {
  /**
   * Bytes of all of them as the disk counts them; asked when nobody else has the directory open.
   *
   * @param directory the one in use.
   */
  readonly measure: (directory: string) => number;
  /**
   * A reference is gone: overwritten, deleted, expired or evicted. Whoever
   * removes its file then calls {@linkcode SegmentLog.release}.
   *
   * @param body what was put as its body.
   * @returns a promise of that, where it takes time.
   */
  readonly drop: (body: Uint8Array) => MaybePromise<void>;
}

/** Options of {@linkcode SegmentLog.open}. */
export interface SegmentLogOptions {
  /** Makes the policy that says which entries leave. */
  readonly policy: EvictionPolicyFactory;
  /**
   * The most bytes that all files of the log, of all processes, take as `du`
   * counts them, and with them the files that references name.
   *
   * @default Infinity
   */
  readonly maxBytes?: number;
  /** The most entries. @default Infinity */
  readonly maxEntries?: number;
  /** Bytes of a segment and its hint. @default a 32nd of `maxBytes`, at least 8 KiB, at most 16 MiB */
  readonly segmentBytes?: number;
  /** When data is made durable. @default "none" */
  readonly durability?: Durability;
  /** How small values are read. @default "auto" */
  readonly io?: IoMode;
  /**
   * Whether a get checks the sum of a value. Not needed where the frame is
   * decoded anyway, which checks all of it.
   *
   * @default true
   */
  readonly checkBodies?: boolean;
  /** Milliseconds after which a use looks for what other processes have done. @default 100 */
  readonly pollMs?: number;
  /** Segments kept open for reading. @default 128 */
  readonly maxOpenFiles?: number;
  /** Files beside the log. */
  readonly external?: ExternalFiles;
  /** The source of time. */
  readonly clock: Clock;
  /** Takes what the log wants to tell. */
  readonly report: (report: BackendReport) => void;
  /** The system calls. @default those of node:fs */
  readonly fileLayer?: FileLayer;
  /** Milliseconds that only ever grow. @default performance.now */
  readonly stopwatch?: () => number;
  /** 32 random bits. @default those of Web Crypto */
  readonly random?: () => number;
  /** What is known of processes. @default that of /proc */
  readonly processTable?: ProcessTable;
}

const LARGEST_SEGMENT = 16 * 1024 * 1024;
const SMALLEST_SEGMENT = 8 * 1024;
const SEGMENTS_IN_LIMIT = 32;

/** The least that a log can keep within, in bytes. */
export const MIN_LOG_BYTES: number = 256 * 1024;

/**
 * Checks the options.
 *
 * @returns the bytes of a segment.
 * @throws {RangeError} for a limit or size that cannot be kept.
 */
export function checkOptions(options: SegmentLogOptions): number {
  const { maxBytes = Infinity, maxEntries = Infinity } = options;
  atLeast("maxBytes", maxBytes, MIN_LOG_BYTES);
  atLeast("maxEntries", maxEntries, 1);
  const share = Math.floor(maxBytes / SEGMENTS_IN_LIMIT / 4096) * 4096;
  const {
    segmentBytes = Math.min(LARGEST_SEGMENT, Math.max(SMALLEST_SEGMENT, share)),
    pollMs = 100,
    maxOpenFiles = 128,
  } = options;
  atLeast("segmentBytes", segmentBytes, SMALLEST_SEGMENT);
  if (segmentBytes > Math.min(0x4000_0000, maxBytes / 8)) {
    throw new RangeError(
      `Cannot open segment log: 'segmentBytes' must be at most 1 GiB and an eighth of 'maxBytes': current value is ${segmentBytes}`,
    );
  }
  atLeast("pollMs", pollMs, 0);
  atLeast("maxOpenFiles", maxOpenFiles, 2);
  return segmentBytes;
}

function atLeast(name: string, value: number, least: number): void {
  if (value >= least) return;
  throw new RangeError(
    `Cannot open segment log: '${name}' must be at least ${least}: current value is ${value}`,
  );
}
