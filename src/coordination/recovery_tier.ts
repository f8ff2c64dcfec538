import type { CacheEntry } from "../entry/entry.ts";

/** What a repair did; `superseded` where a write of the key has come in between. */
export type RepairOutcome = "done" | "outdated" | "failed" | "superseded";

/** A tier as recovery sees it. */
export interface RecoveryTier {
  /** Whether it keeps the newest version of each key, whatever comes late. */
  readonly isVersioned: boolean;
  /** Whether it counts as down. */
  readonly isDown: boolean;
  /** Whether it may hold something older than it should under a key. */
  distrusts(key: string): boolean;
  /** Reads a key again, unless a later write of it has failed. @returns what comes before all later writes. */
  trust(key: string, order?: number): number;
  /** Whether a clear of a pattern has failed here, and not been made good. */
  missedClear(pattern: string | undefined): boolean;
  /**
   * Brings it what was meant for a key.
   *
   * @param entry `undefined` for a delete.
   * @param isCurrent asked just before, when earlier writes of the key have ended.
   */
  repair(
    key: string,
    entry: CacheEntry | undefined,
    version: number,
    isCurrent: () => boolean,
  ): Promise<RepairOutcome>;
  /** Removes what matches and is not newer than a version, where the tier can tell. @returns whether it did. */
  repairClear(pattern: string | undefined, version: number): Promise<boolean>;
  /** Removes what is held of a key unless it is newer than a version. */
  drop(key: string, version: number): Promise<void>;
}
