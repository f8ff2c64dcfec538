import type { BackendStats } from "../types.ts";

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
  /** One for each tier, fastest first. */
  readonly tiers: readonly TierStats[];
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
}
