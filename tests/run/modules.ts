import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { scanSource } from "../tools/imports.ts";

/** Each module is read once. */
const imports = new Map<string, readonly string[]>();

/**
 * The modules of tests and benches that are loaded with some of them: imported,
 * but not by `import()`, directly or through others, themselves included.
 *
 * @returns absolute paths.
 */
export function modulesOf(files: readonly string[]): ReadonlySet<string> {
  const modules = new Set(files.map((file) => resolve(file)));
  // What is added is walked too.
  for (const module of modules) for (const imported of importsOf(module)) modules.add(imported);
  return modules;
}

function importsOf(module: string): readonly string[] {
  let found = imports.get(module);
  if (found === undefined) {
    found = scanSource(readFileSync(module, "utf8")).imports
      .flatMap(({ specifier, dynamic }) =>
        !dynamic && specifier?.startsWith(".") ? [specifier] : []
      )
      .map((specifier) => resolve(dirname(module), specifier))
      .filter((path) => /\/(?:tests|bench)\/.*\.ts$/.test(path));
    imports.set(module, found);
  }
  return found;
}
