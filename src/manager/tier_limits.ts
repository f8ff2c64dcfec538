import type { CacheEntry } from "../entry/entry.ts";
import { sizeOf } from "../size_of.ts";

/** Limits that the manager lays on a tier, whatever its backend. */
export interface TierLimits {
  /** The longest that entries live here, in milliseconds; `Infinity` for as long as they do elsewhere. */
  readonly maxTtl: number;
  /** The largest frame that is admitted, in bytes. */
  readonly maxEntryBytes: number;
  /** The time that one operation may take, in milliseconds. */
  readonly deadline: number;
}

/** Whether an entry is small enough: by its frame where it has been encoded, else by what its value takes in memory. */
export function admits({ maxEntryBytes }: TierLimits, entry: CacheEntry): boolean {
  if (maxEntryBytes === Infinity) return true;
  const size = entry.encodedSize ?? (entry.isLive ? sizeOf(entry.value()) : 0);
  return size <= maxEntryBytes;
}

/** The entry as it lives here: no longer than it may. */
export function capped({ maxTtl }: TierLimits, entry: CacheEntry, now: number): CacheEntry {
  if (maxTtl === Infinity) return entry;
  const latest = now + maxTtl;
  return entry.staleUntil <= latest
    ? entry
    : entry.withTimes(Math.min(entry.expiresAt, latest), latest);
}
