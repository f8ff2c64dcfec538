import { isCacheError } from "../errors.ts";
import type { Clock } from "../types.ts";
import { readChanges } from "./changes.ts";
import type { Fills } from "./fills.ts";
import { Rooms } from "./rooms.ts";
import { entryIn, keysIn, RowsIn } from "./snapshot_content.ts";
import type { SnapshotFiles } from "./snapshot_files.ts";
import { RecordKind, SnapshotReader } from "./snapshot_format.ts";
import type { TableRow } from "./successor_table.ts";

/** After so many entries it is asked whether there is room for more. */
const ENTRIES_BETWEEN_LOOKS = 64;

/** What bringing back works with. */
export interface SnapshotRestoreParts {
  readonly path: string;
  readonly files: SnapshotFiles;
  readonly clock: Clock;
  readonly fills: Fills;
  readonly maxKeys: number;
  /** Whether values are taken; of slower tiers only keys are. */
  readonly takesEntries: boolean;
}

/** What a snapshot gave. */
export interface RestoredSnapshot {
  /** Names its list of changes. */
  readonly id: number;
  /** Whether that is there. */
  readonly isNoted: boolean;
  /** Its entries and their tags, those included that were not brought back; whether any of them changes is to be noted. */
  readonly entries: ReadonlyMap<string, readonly string[]>;
  /** Keys whose values are in slower tiers. */
  readonly keys: readonly string[];
  readonly rows: readonly TableRow[];
  /** Entries that are in memory now. */
  readonly restored: number;
  /** Entries that are not. */
  readonly skipped: number;
  /** What was found damaged; what came before it counts. */
  readonly damage: unknown;
}

/**
 * Reads a snapshot and puts its entries into memory, in a cache that nobody
 * uses yet.
 *
 * @returns `undefined` when there is none.
 * @throws {CacheError} `"unsupported-format"` when it is of another version or no snapshot.
 */
export async function restoreSnapshot(
  parts: SnapshotRestoreParts,
): Promise<RestoredSnapshot | undefined> {
  const { path, files } = parts;
  const pieces = await files.open(path);
  if (pieces === undefined) return undefined;
  try {
    return await restoreFrom(new SnapshotReader(pieces), parts);
  } finally {
    await pieces.return(undefined);
  }
}

async function restoreFrom(
  reader: SnapshotReader,
  { path, files, clock, fills, maxKeys, takesEntries }: SnapshotRestoreParts,
): Promise<RestoredSnapshot> {
  const { id } = await reader.header();
  const noted = await files.readChanges(path, id);
  // Without its list of changes nobody knows which values are still right.
  const hasChanged = noted === undefined ? () => true : readChanges(noted);
  const [fastest] = fills.tiers;
  const rooms = new Rooms(fills.tiers.slice(0, 1));
  const rows = new RowsIn();
  const keys: string[] = [];
  const entries = new Map<string, readonly string[]>();
  let [restored, skipped] = [0, 0];
  let hasGrown = false;
  let damage: unknown;
  try {
    for await (const { kind, bytes } of reader.records()) {
      if (kind === RecordKind.keys) {
        for (const key of keysIn(bytes)) if (keys.length < maxKeys) keys.push(key);
      } else if (kind === RecordKind.successors) {
        rows.add(bytes);
      } else if (kind === RecordKind.entry) {
        const entry = entryIn(bytes);
        entries.set(entry.key, entry.tags);
        if (!takesEntries) {
          if (keys.length < maxKeys) keys.push(entry.key);
          continue;
        }
        // How many there is room for is a guess at first, until some are there.
        const isFullAsGuessed = hasGrown && rooms.of(fastest!) < 1;
        if (isFullAsGuessed || (restored + skipped) % ENTRIES_BETWEEN_LOOKS === 0) {
          await rooms.look();
          hasGrown = false;
        }
        const isWanted = entry.expiresAt > clock.now() && !hasChanged(entry.key) &&
          rooms.of(fastest!) > 0 && restored < maxKeys;
        if (isWanted && await fills.admit(entry)) {
          restored++;
          hasGrown = true;
          // It is there at once.
          rooms.reserve(1)();
        } else {
          skipped++;
        }
      }
    }
  } catch (error) {
    if (!isCacheError(error)) throw error;
    damage = error;
  }
  const isNoted = noted !== undefined;
  return { id, isNoted, entries, keys, rows: rows.rows(), restored, skipped, damage };
}
