import type { CacheEntry } from "../entry/entry.ts";
import { sizeOf } from "../size_of.ts";
import type { BreakerOptions } from "./breaker_options.ts";

/** When an entry is over. */
type Lifetime = Pick<CacheEntry, "expiresAt" | "staleUntil">;

/** Limits that the manager lays on a tier, whatever its backend. */
export interface TierLimits {
  /** The longest that entries live here, in milliseconds; `Infinity` for as long as they do elsewhere. */
  readonly maxTtl: number;
  /** The largest frame that is admitted, in bytes. */
  readonly maxEntryBytes: number;
  /** The time that one operation may take, in milliseconds. */
  readonly deadline: number;
  /** When the tier counts as down; `false` for never, `undefined` for what suits its backend. */
  readonly breaker?: BreakerOptions | false | undefined;
}

/** Whether an entry is small enough: by its frame where it has been encoded, else by what its value takes in memory. */
export function admits({ maxEntryBytes }: TierLimits, entry: CacheEntry): boolean {
  if (maxEntryBytes === Infinity) return true;
  const size = entry.encodedSize ?? (entry.isLive ? sizeOf(entry.value()) : 0);
  return size <= maxEntryBytes;
}

/** The entry as it lives here: no longer than it may. */
export function capped(limits: TierLimits, entry: CacheEntry, now: number): CacheEntry {
  const { expiresAt, staleUntil } = cappedTimes(limits, entry, now);
  return staleUntil === entry.staleUntil ? entry : entry.withTimes(expiresAt, staleUntil);
}

/** The end of an entry as it lives here. */
export function cappedTimes(
  { maxTtl }: TierLimits,
  { expiresAt, staleUntil }: Lifetime,
  now: number,
): Lifetime {
  const latest = now + maxTtl;
  return staleUntil <= latest
    ? { expiresAt, staleUntil }
    : { expiresAt: Math.min(expiresAt, latest), staleUntil: latest };
}
