import type { CacheEntry } from "../src/entry/entry.ts";
import { latestHonest } from "../src/entry/version.ts";
import type { Clock, OperationOptions, StreamedEntry, VersionedOutcome } from "../src/types.ts";
import { unguardedSignal } from "./_abortable.ts";
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
  /** Chunks that it refers to. */
  readonly chunks?: { readonly stored: string; readonly count: number };
}

/** A record that refers to chunks. */
export interface ReferenceWrite {
  /** The record. */
  readonly record: Uint8Array;
  /** The stored key of the chunks. */
  readonly chunks: string;
  /** How many there are. */
  readonly count: number;
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
    const { clock, fits, send, batchSize } = this.#options;
    const outcomes: VersionedOutcome[] = [];
    for (const batch of batches(entries, batchSize)) {
      const frames = await Promise.all(batch.map((entry) => entry.encode()));
      unguardedSignal(call)?.throwIfAborted();
      const now = clock.now();
      const fit = batch.map(({ key }, at) => fits(key, frames[at]!.length));
      const records = batch.map((entry, at): VersionedRecord =>
        // Neither a value that is too large nor one that is over leaves an older one behind.
        !fit[at] || entry.staleUntil <= now
          ? markOf(entry.key, entry.version, String(latestHonest(now)))
          : this.#record(entry, frames[at]!, now)
      );
      const replaced = await send(records, call);
      for (const [at, isStored] of fit.entries()) {
        outcomes.push(replaced[at] === undefined ? "outdated" : isStored ? "stored" : "declined");
      }
    }
    return outcomes;
  }

  /** Stores a streamed entry whose frame turned out to fit into a record. */
  setFrame(entry: StreamedEntry, frame: Uint8Array, call: Call): Promise<VersionedOutcome> {
    return this.#put(this.#record(entry, frame, this.#options.clock.now()), "stored", call);
  }

  /** Makes the chunks of a streamed entry visible. */
  setReference(
    entry: StreamedEntry,
    { record, chunks, count }: ReferenceWrite,
    call: Call,
  ): Promise<VersionedOutcome> {
    const written = this.#record(entry, record, this.#options.clock.now());
    return this.#put({ ...written, chunks: { stored: chunks, count } }, "stored", call);
  }

  /** Removes what is not newer than a streamed entry that is not stored. @returns what became of that. */
  erase(
    { key, version }: StreamedEntry,
    outcome: VersionedOutcome,
    call: Call,
  ): Promise<VersionedOutcome> {
    const latest = String(latestHonest(this.#options.clock.now()));
    // It is no delete: it leaves a mark of no version, and that for no time.
    const args = [String(version), latest, "1"] as const;
    return this.#put({ key, frame: encodeMark(key, 0, 0), args }, outcome, call);
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

  async #put(
    record: VersionedRecord,
    outcome: VersionedOutcome,
    call: Call,
  ): Promise<VersionedOutcome> {
    const [replaced] = await this.#options.send([record], call);
    return replaced === undefined ? "outdated" : outcome;
  }

  #record(
    { key, version, staleUntil }: Pick<CacheEntry, "key" | "version" | "staleUntil">,
    frame: Uint8Array,
    now: number,
  ): VersionedRecord {
    // From now, by the server's clock, so that it need not agree with ours.
    const left = Math.max(1, Math.ceil(staleUntil - now));
    const px = left === Infinity ? "" : String(left + this.#options.expiryGrace);
    return { key, frame, args: [String(version), String(latestHonest(now)), px] };
  }
}

function markOf(key: string, version: number, latest: string): VersionedRecord {
  return {
    key,
    frame: encodeMark(key, version, 0),
    args: [String(version), latest, String(MARK_MS)],
  };
}
