import type { BackendStats } from "../types.ts";
import type { SnapshotStats } from "../warming/snapshots.ts";
import type { PrefetchStats } from "../warming/prefetcher.ts";

/** What one tier did since the cache was opened, and what it holds. */
export interface TierStats extends BackendStats {
  /** Its name. */
  readonly name: string;
  /** Reads that found their key here. */
  readonly hits: number;
  /** Reads that were asked here in vain, failed ones included. */
  readonly misses: number;
  /** Entries written here by `set` and its like. */
  readonly writes: number;
  /** Entries copied here from slower tiers. */
  readonly promotions: number;
  /** Entries that were too large for this tier. */
  readonly declined: number;
  /** Operations that failed, timed out ones included. */
  readonly errors: number;
  /** Operations that did not end within the deadline. */
  readonly timeouts: number;
  /** Operations that were left out because the tier was down. */
  readonly skipped: number;
  /** Whether it is down now: it is not asked then. */
  readonly isDown: boolean;
}

/** How a cache stands with its tiers and with other processes. */
export interface CoordinationStats {
  /** Writes, deletes and clears that wait for a tier. */
  readonly queued: number;
  /** Bytes that they take. */
  readonly queuedBytes: number;
  /** Those that were brought where they belong. */
  readonly replayed: number;
  /** Those that were given up. */
  readonly dropped: number;
  /** Whether messages of other processes arrive. */
  readonly isConnected: boolean;
  /** Changes of others that were heard of. */
  readonly heard: number;
  /** Changes that others were told. */
  readonly told: number;
  /** Changes that others have not been told yet. */
  readonly untold: number;
}

/** What a cache did since it was opened. Counts are of keys, not of calls. */
export interface CacheStats {
  /** Reads that found their key in any tier. */
  readonly hits: number;
  /** Reads that found it in none. */
  readonly misses: number;
  /** Hits as a share of all reads, from 0 to 1; 0 before the first read. */
  readonly hitRatio: number;
  /** Loader calls that gave a value. */
  readonly loads: number;
  /** Loader calls that failed. */
  readonly loadErrors: number;
  /** Streams that were read to their end or as far as was wanted; each is a hit as well. */
  readonly streamReads: number;
  /** Streams that were written. */
  readonly streamWrites: number;
  /** Streams that failed under way, in either direction, and those that were broken off by a signal. */
  readonly streamErrors: number;
  /** Bytes handed out by streams. */
  readonly streamBytesRead: number;
  /** Bytes of streams that were written. */
  readonly streamBytesWritten: number;
  /** How it stands with other processes; absent where memory is all there is. */
  readonly coordination?: CoordinationStats;
  /** One for each tier, fastest first. */
  readonly tiers: readonly TierStats[];
  /** What was fetched ahead; absent where that is off. */
  readonly prefetch?: PrefetchStats;
  /** What was done with snapshots; absent where they are off. */
  readonly snapshot?: SnapshotStats;
}

/** The counts of a tier, in the making. */
export class TierCounters {
  hits = 0;
  misses = 0;
  writes = 0;
  promotions = 0;
  declined = 0;
  errors = 0;
  timeouts = 0;
  skipped = 0;
}

/** The counts of streams, in the making. */
export class StreamCounts {
  streamReads = 0;
  streamWrites = 0;
  streamErrors = 0;
  streamBytesRead = 0;
  streamBytesWritten = 0;
}
