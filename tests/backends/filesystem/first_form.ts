import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { entryPath } from "../../../backends/filesystem/names.ts";
import { entryOf, type EntryOptions } from "../../fakes/entries.ts";

/** Where the first form kept a key. */
export function firstFormPath(basePath: string, key: string): string {
  return join(basePath, "v1", entryPath(key));
}

/** Writes an entry as the first form of the backend did. */
export async function writeFirstForm(
  basePath: string,
  key: string,
  value: unknown,
  options: EntryOptions = {},
): Promise<void> {
  const path = firstFormPath(basePath, key);
  mkdirSync(dirname(path), { recursive: true });
  mkdirSync(join(basePath, "v1", "tmp"), { recursive: true });
  writeFileSync(path, await entryOf(key, value, options).encode());
}
