import type { Standing } from "./object_metadata.ts";
import type { Records } from "./records.ts";
import type { ListedEntry } from "./walk.ts";

/** Whether each of some listed entries counts, in their order: by what the listing tells, else by a HEAD. */
export function liveEntries(
  page: readonly ListedEntry[],
  records: Records,
  isLive: (standing: Standing | undefined) => boolean,
  signal: AbortSignal | undefined,
): Promise<boolean[]> {
  return Promise.all(page.map(async ({ name, info }) => {
    const held = info === undefined
      ? await records.look(name, signal)
      : await records.found(name, info, signal);
    return isLive(held?.standing);
  }));
}
