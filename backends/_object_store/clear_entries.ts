import type { KeyLanes } from "./key_lanes.ts";
import { liveEntries } from "./live_entries.ts";
import type { Standing } from "./object_metadata.ts";
import type { ObjectStore } from "./object_store.ts";
import type { Records } from "./records.ts";
import type { ListedEntry } from "./walk.ts";

/** What clearing needs. */
export interface ClearParts {
  /** The entries to remove, by pages. */
  readonly pages: AsyncIterable<readonly ListedEntry[]>;
  /** Looks at objects and removes them. */
  readonly records: Records;
  /** Keeps the order of writes. */
  readonly lanes: KeyLanes;
  /** Says how many go in one request. */
  readonly store: Pick<ObjectStore, "maxDeletes">;
  /** Which keys are left as they are. */
  readonly keeps: ((key: string) => boolean) | undefined;
  /** Whether an entry counts. */
  readonly isLive: (standing: Standing | undefined) => boolean;
  /** Throws for those that could not be removed. */
  readonly fail: (failures: readonly KeyFailure[]) => void;
}

/** A key for which something failed. */
export interface KeyFailure {
  readonly key: string;
  readonly error: unknown;
}

/** Removes entries, going on where single ones cannot be removed. @returns how many live ones it removed. */
export async function clearEntries(
  { pages, records, lanes, store, keeps, isLive, fail }: ClearParts,
  signal: AbortSignal | undefined,
): Promise<number> {
  let removed = 0;
  const failures: KeyFailure[] = [];
  for await (const all of pages) {
    const page = keeps === undefined ? all : all.filter(({ key }) => !keeps(key));
    for (let at = 0; at < page.length; at += store.maxDeletes) {
      const batch = page.slice(at, at + store.maxDeletes);
      await lanes.run(batch.map(({ key }) => key), async () => {
        signal?.throwIfAborted();
        const live = await liveEntries(batch, records, isLive, signal);
        const failed = await records.removeMany(batch.map(({ name }) => name), signal);
        for (const [index, { name, key }] of batch.entries()) {
          const error = failed.get(name);
          if (error !== undefined) failures.push({ key, error });
          else if (live[index] === true) removed++;
        }
      });
    }
  }
  fail(failures);
  return removed;
}
