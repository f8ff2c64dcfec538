import type { ClearParts, KeyFailure } from "./clear_entries.ts";
import type { ObjectNames } from "./object_names.ts";

/** What deleting needs. */
export interface DeleteParts extends Omit<ClearParts, "pages" | "lanes" | "keeps"> {
  /** Names of objects. */
  readonly names: ObjectNames;
}

/** Removes entries of different keys. @returns how many live ones it removed. */
export async function deleteEntries(
  { records, names, store, isLive, fail }: DeleteParts,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<number> {
  const found = await Promise.all(keys.map(async (key) => {
    const name = await names.entry(key);
    return { key, name, held: await records.look(name, signal) };
  }));
  const present = found.filter(({ held }) => held !== undefined);
  let removed = 0;
  const failures: KeyFailure[] = [];
  for (let at = 0; at < present.length; at += store.maxDeletes) {
    const batch = present.slice(at, at + store.maxDeletes);
    const failed = await records.removeMany(batch.map(({ name }) => name), signal);
    for (const { key, name, held } of batch) {
      const error = failed.get(name);
      if (error !== undefined) failures.push({ key, error });
      else if (isLive(held?.standing)) removed++;
    }
  }
  fail(failures);
  return removed;
}
