import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { provideServers, type SharedServers, startShared } from "../../tests/run/servers.ts";
import { scanSource } from "../../tests/tools/imports.ts";

/**
 * Starts the servers that benches need and that are dear to start, once for
 * all of them. Where one cannot be had, it says so; the benches then go on
 * without, and say so too.
 */
export async function startBenchServers(benches: readonly string[]): Promise<SharedServers> {
  const files = withImports(benches);
  try {
    const missing = await provideServers(files);
    if (missing === undefined) return await startShared(files);
    console.log(`Some servers cannot be had: ${missing}\n`);
  } catch (error) {
    console.log(`Some servers do not start: ${(error as Error).message}\n`);
  }
  return { stop: () => Promise.resolve() };
}

/** Some files of bench/ and those of bench/ that they import. */
function withImports(files: readonly string[]): string[] {
  const found = new Set(files);
  for (const file of found) {
    for (const { specifier } of scanSource(readFileSync(file, "utf8")).imports) {
      if (!specifier?.startsWith(".")) continue;
      const imported = relative(".", join(dirname(file), specifier));
      if (imported.startsWith("bench/")) found.add(imported);
    }
  }
  return [...found];
}
