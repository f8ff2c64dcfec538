import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { scanSource } from "../tools/imports.ts";

/** Each module is read once. */
const imports = new Map<string, readonly string[]>();

/**
 * Whether a module of the tests is loaded with some files of tests or benches:
 * imported, but not by `import()`, directly or through others.
 *
 * @param wanted its path from the root, with `/` between the parts.
 */
export function loads(files: readonly string[], wanted: string): boolean {
  const modules = new Set(files.map((file) => resolve(file)));
  // What is added is walked too.
  for (const module of modules) {
    if (module.endsWith(`/${wanted}`)) return true;
    for (const imported of importsOf(module)) modules.add(imported);
  }
  return false;
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
