import { CacheError } from "../errors.ts";
import type { Scope } from "../manager/scope.ts";
import type { Clock } from "../types.ts";
import { readChanges } from "./changes.ts";
import { snapshotFiles } from "./snapshot_files.ts";
import { entryIn, keysIn } from "./snapshot_content.ts";
import { RecordKind, SnapshotReader } from "./snapshot_format.ts";
import type { WantedKey } from "./warm_keys.ts";
import type { WarmEntry, WarmItem } from "./warm_options.ts";

/** What reading keys from a snapshot needs. */
export interface SnapshotSource {
  readonly path: string;
  readonly scope: Scope;
  readonly clock: Clock;
  /** Whether values are taken as well; where slower tiers are, those know better. */
  readonly takesValues: boolean;
}

/**
 * The keys of a snapshot that belong to a namespace.
 *
 * @throws {CacheError} `"unavailable"` where there is no file or the runtime has none, `"unsupported-format"` and `"corrupt"` when its turn comes.
 */
export async function* keysOfSnapshot(
  { path, scope, clock, takesValues }: SnapshotSource,
): AsyncGenerator<WantedKey<WarmItem>> {
  const files = await snapshotFiles("Cannot warm");
  const pieces = await files.open(path);
  if (pieces === undefined) {
    throw new CacheError("unavailable", `Cannot warm: there is no snapshot at ${path}`);
  }
  try {
    const reader = new SnapshotReader(pieces);
    const { id } = await reader.header();
    const noted = await files.readChanges(path, id);
    const hasChanged = noted === undefined ? () => false : readChanges(noted);
    for await (const { kind, bytes } of reader.records()) {
      if (kind === RecordKind.keys) {
        for (const stored of keysIn(bytes)) {
          const given = scope.given(stored);
          if (given !== undefined) yield { item: given, given, stored };
        }
      } else if (kind === RecordKind.entry) {
        const entry = entryIn(bytes);
        const { key: stored, expiresAt } = entry;
        const given = scope.given(stored);
        if (given === undefined) continue;
        const seconds = (expiresAt - clock.now()) / 1000;
        const isReady = takesValues && seconds > 0 && !hasChanged(stored);
        const item: WarmItem = isReady
          ? {
            key: given,
            value: await entry.value(),
            ttl: seconds,
            tags: entry.tags.map((tag) => scope.given(tag) ?? tag),
          } satisfies WarmEntry
          : given;
        yield { item, given, stored };
      }
    }
  } finally {
    await pieces.return(undefined);
  }
}
