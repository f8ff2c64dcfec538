import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const ROOT: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Made by tools, never committed. */
const IGNORED = new Set([".git", ".cov", "node_modules", "out"]);

/** Sources by their path from the root, with `/` between the parts. */
export type Tree = ReadonlyMap<string, string>;

/** Lists the repository's folders at the top. */
export function topFolders(): string[] {
  return readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !IGNORED.has(entry.name))
    .map((entry) => entry.name);
}

/** Reads the repository's files whose names end with one of the endings. */
export function readTree(...endings: readonly string[]): Tree {
  const tree = new Map<string, string>();
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (IGNORED.has(entry.name)) continue;
      if (entry.isDirectory()) walk(path);
      else if (endings.some((ending) => path.endsWith(ending))) {
        tree.set(path, readFileSync(join(ROOT, path), "utf8"));
      }
    }
  };
  walk("");
  return tree;
}
