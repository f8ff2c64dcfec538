import type { HealthState } from "./health.ts";
import type { OpenedCore } from "./open_core.ts";

/** What a log holds and what it has done since open. */
export interface SegmentLogStats {
  /** Entries that a get may return. */
  readonly entries: number;
  /** Bytes of their records and of the files they name. */
  readonly liveBytes: number;
  /** Bytes that all files may take at most right now, as last looked at. */
  readonly diskBytes: number;
  /** Segment files, of all processes. */
  readonly segments: number;
  /** Bytes of the index: entries, tables and what it knows of each segment. */
  readonly indexBytes: number;
  /** Bytes that wait to be written. */
  readonly queuedBytes: number;
  readonly evictions: number;
  readonly expirations: number;
  readonly corruptions: number;
  /** Segments removed to make room. */
  readonly segmentsReclaimed: number;
  /** Bytes of records written for each byte of records that was put. */
  readonly writeAmplification: number;
  readonly health: HealthState;
  /** Whether small values are read asynchronously right now. */
  readonly isAsync: boolean;
}

/** What a log holds and has done. */
export function statsOf({ core, set, space, queue }: OpenedCore): SegmentLogStats {
  const { catalog, counters, health, meter } = core;
  let indexBytes = catalog.index.bytes;
  for (const segment of set.all()) indexBytes += segment.slots.bytes;
  return {
    entries: catalog.liveEntries,
    liveBytes: catalog.liveBytes,
    diskBytes: set.claimed + space.external.total,
    segments: set.size,
    indexBytes,
    queuedBytes: queue.waitingBytes,
    evictions: catalog.evictions,
    expirations: catalog.expirations,
    corruptions: counters.corruptions,
    segmentsReclaimed: counters.segmentsReclaimed,
    writeAmplification: counters.bytesPut === 0 ? 1 : 1 + counters.bytesCarried / counters.bytesPut,
    health: health.state,
    isAsync: meter.isAsync,
  };
}
