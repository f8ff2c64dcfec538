import type { CacheEntry } from "../src/entry/entry.ts";
import { latestHonest } from "../src/entry/version.ts";
import type { Clock, OperationOptions, VersionedOutcome } from "../src/types.ts";
import { batches } from "./_batches.ts";
import { encodeMark, MARK_MS } from "./_delete_mark.ts";
import type { FrameReader } from "./_frames.ts";

/** One record for the script of `_newest_script.ts`. */
export interface VersionedRecord {
  /** Its key, as the cache knows it. */
  readonly key: string;
  /** The record. */
  readonly frame: Uint8Array;
  /** What the script takes after it: version, latest honest version, milliseconds to keep it. */
  readonly args: readonly [version: string, latest: string, px: string];
}

/** How the versioned writes of one backend are made. `Call` is what its operations are told of their caller. */
export interface VersionedWritesOptions<Call> {
  /** The one source of time. */
  readonly clock: Clock;
  /** Reads headers. */
  readonly frames: FrameReader;
  /** How long the server keeps an entry after its end, in milliseconds. */
  readonly expiryGrace: number;
  /** Records of one round trip. */
  readonly batchSize: number;
  /** Whether the store takes a frame of that key and size. */
  readonly fits: (key: string, frameLength: number) => boolean;
  /**
   * Runs the script for each record, together.
   *
   * @returns the headers that were replaced, empty for none, `undefined` where a newer record stays.
   */
  readonly send: (
    records: readonly VersionedRecord[],
    call: Call,
  ) => Promise<(Uint8Array | undefined)[]>;
}

/** Stores what is newer than what a server has, and marks of deletes. */
export class VersionedWrites<Call extends OperationOptions> {
  readonly #options: VersionedWritesOptions<Call>;

  constructor(options: VersionedWritesOptions<Call>) {
    this.#options = options;
  }

  /** Stores entries, or marks where they cannot be stored. */
  async setNewest(entries: readonly CacheEntry[], call: Call): Promise<VersionedOutcome[]> {
    const { clock, expiryGrace, fits, send, batchSize } = this.#options;
    const outcomes: VersionedOutcome[] = [];
    for (const batch of batches(entries, batchSize)) {
      const frames = await Promise.all(batch.map((entry) => entry.encode()));
      call.signal?.throwIfAborted();
      const now = clock.now();
      const latest = String(latestHonest(now));
      const fit = batch.map(({ key }, at) => fits(key, frames[at]!.length));
      const records = batch.map(({ key, version, staleUntil }, at): VersionedRecord => {
        const left = Math.ceil(staleUntil - now);
        // Neither a value that is too large nor one that is over leaves an older one behind.
        if (!fit[at] || left <= 0) return markOf(key, version, latest);
        const px = left === Infinity ? "" : String(left + expiryGrace);
        return { key, frame: frames[at]!, args: [String(version), latest, px] };
      });
      const replaced = await send(records, call);
      for (const [at, isStored] of fit.entries()) {
        outcomes.push(replaced[at] === undefined ? "outdated" : isStored ? "stored" : "declined");
      }
    }
    return outcomes;
  }

  /** Marks keys as deleted. @returns how many live entries the marks replaced. */
  async deleteUpTo(keys: readonly string[], version: number, call: Call): Promise<number> {
    const { clock, frames, send, batchSize } = this.#options;
    const latest = String(latestHonest(clock.now()));
    let removed = 0;
    for (const batch of batches([...new Set(keys)], batchSize)) {
      const replaced = await send(batch.map((key) => markOf(key, version, latest)), call);
      removed += replaced.filter((header) => header !== undefined && frames.isLive(header)).length;
    }
    return removed;
  }
}

function markOf(key: string, version: number, latest: string): VersionedRecord {
  return {
    key,
    frame: encodeMark(key, version, 0),
    args: [String(version), latest, String(MARK_MS)],
  };
}
