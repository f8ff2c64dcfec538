import { ConfigReader } from "../../src/config.ts";
import type { Clock, OperationOptions } from "../../src/types.ts";
import type { KeyFailure } from "./clear_entries.ts";
import type { Conditions } from "./conditions.ts";
import type { KeyLanes } from "./key_lanes.ts";
import type { ObjectNames } from "./object_names.ts";
import type { ObjectInfo, ObjectStore, OpenUploadsCursor } from "./object_store.ts";
import type { Records } from "./records.ts";
import type { Requests } from "./requests.ts";
import { type ListedEntry, walkPages } from "./walk.ts";

/** How far {@linkcode purgeExpired} is. */
export interface PurgeProgress {
  /** Entries that were looked at. */
  readonly seen: number;
  /** Entries that were removed. */
  readonly removed: number;
}

/** Options of a purge. */
export interface PurgeOptions extends OperationOptions {
  /**
   * Uploads of streamed values that have been open for longer are called off,
   * where the store lists them, as S3 does: a crash has left them, and they
   * are paid for. Seconds, or a string such as `"12h"`; no upload may take as long.
   *
   * @default "1d"
   */
  readonly maxUploadAge?: number | string;
  /** Told after each page. */
  readonly onProgress?: (progress: PurgeProgress) => void;
}

/** What purging needs. */
export interface PurgeParts {
  /** All entries, by pages. */
  readonly pages: AsyncIterable<readonly ListedEntry[]>;
  /** Looks at objects and removes them. */
  readonly records: Records;
  /** Sends requests. */
  readonly requests: Requests;
  /** Keeps the order of writes. */
  readonly lanes: KeyLanes;
  /** The store. */
  readonly store: ObjectStore;
  /** Names of objects. */
  readonly names: ObjectNames;
  /** How the store's conditions are used, if that is known. */
  readonly conditions: Conditions | undefined;
  /** The one source of time. */
  readonly clock: Clock;
  /** Milliseconds that an entry is kept after its end. */
  readonly grace: number;
  /** Counts what was removed. */
  readonly count: (removed: number) => void;
  /** Throws for those that could not be removed. */
  readonly fail: (failures: readonly KeyFailure[]) => void;
}

/** What a probe has left is nobody's after that, in milliseconds. */
const LEFTOVER_MS = 3_600_000;

const DEFAULT_UPLOAD_AGE_MS = 86_400_000;

/** Removes entries that are over. @returns how many. */
export async function purgeExpired(
  parts: PurgeParts,
  { signal, onProgress, maxUploadAge }: PurgeOptions,
): Promise<number> {
  const uploadAge = new ConfigReader("Cannot purge", { maxUploadAge }, ["maxUploadAge"])
    .duration("maxUploadAge") ?? DEFAULT_UPLOAD_AGE_MS;
  let seen = 0;
  let removed = 0;
  const failures: KeyFailure[] = [];
  for await (const page of parts.pages) {
    seen += page.length;
    const { length, failed } = await purgePage(parts, page, signal);
    removed += length - failed.length;
    failures.push(...failed);
    onProgress?.({ seen, removed });
  }
  await removeLeftovers(parts, signal);
  await abortUploads(parts, uploadAge, signal);
  parts.count(removed);
  parts.fail(failures);
  return removed;
}

async function purgePage(
  { records, lanes, store, conditions, clock, grace }: PurgeParts,
  page: readonly ListedEntry[],
  signal: AbortSignal | undefined,
): Promise<{ length: number; failed: KeyFailure[] }> {
  const isOver = (staleUntil: number): boolean => staleUntil + grace <= clock.now();
  const look = async ({ name, key, info }: ListedEntry) => {
    const held = info === undefined
      ? await records.look(name, signal)
      : await records.found(name, info, signal);
    return held?.standing !== undefined && isOver(held.standing.staleUntil)
      ? { name, key, info: held.info }
      : undefined;
  };
  const doomed = (await Promise.all(page.map(look))).filter((entry) => entry !== undefined);
  const failed: KeyFailure[] = [];
  let length = doomed.length;
  for (let at = 0; at < doomed.length; at += store.maxDeletes) {
    const batch = doomed.slice(at, at + store.maxDeletes);
    await lanes.run(batch.map(({ key }) => key), async () => {
      signal?.throwIfAborted();
      if (conditions?.onDelete === true) {
        const gone = await Promise.all(
          batch.map(({ name, info }) => records.remove(name, signal, info.tag)),
        );
        length -= gone.filter((isGone) => !isGone).length;
        return;
      }
      const refused = await records.removeMany(batch.map(({ name }) => name), signal);
      for (const { name, key } of batch) {
        const error = refused.get(name);
        if (error !== undefined) failed.push({ key, error });
      }
    });
  }
  return { length, failed };
}

/** Removes what probes have left. Locks stay: a lock that is removed may be in somebody's hands by then. */
async function removeLeftovers(
  { store, names, requests, records }: PurgeParts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const isOld = (info: ObjectInfo | undefined): boolean =>
    info !== undefined && (info.serverTime ?? 0) - info.modifiedAt > LEFTOVER_MS;
  for await (const { objects } of walkPages({ store, requests }, names.probes, signal)) {
    for (const { name } of objects) {
      if (isOld((await records.look(name, signal))?.info)) await records.remove(name, signal);
    }
  }
}

/** Calls off uploads that nobody goes on with. */
async function abortUploads(
  { store, names, requests, clock }: PurgeParts,
  age: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (store.openUploads === undefined) return;
  let cursor: OpenUploadsCursor | undefined;
  do {
    const from = cursor;
    const page = await requests.read(
      signal,
      (own) => store.openUploads!(names.entries, { signal: own, cursor: from }),
    );
    const now = page.serverTime ?? clock.now();
    for (const { begunAt, upload } of page.uploads) {
      if (now - begunAt < age) continue;
      await requests.write(signal, (own) => upload.abort({ signal: own }));
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
}
