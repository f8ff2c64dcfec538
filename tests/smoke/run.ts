/*
 * Packs the package, installs the tarball with npm in a folder of its own, and
 * uses it there as its users do, on every runtime.
 */

import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { findRuntime, RUNTIME_NAMES } from "../run/runtimes.ts";
import { runCommand } from "../run/spawn.ts";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(dirname(HERE));

const folder = await mkdtemp(join(tmpdir(), "strata-consumer-"));
try {
  const { exports, name } = JSON.parse(await readFile(join(ROOT, "deno.json"), "utf8")) as {
    name: string;
    exports: Record<string, string>;
  };
  await writeFile(join(folder, "package.json"), '{ "type": "module", "private": true }\n');
  // Deno is to resolve the package as npm installed it.
  await writeFile(join(folder, "deno.json"), '{ "nodeModulesDir": "manual", "lock": false }\n');
  for (const file of ["consumer.mjs", "consumer_types.ts"]) {
    await copyFile(join(HERE, file), join(folder, file));
  }

  const deno = process.execPath;
  const tarball = join(folder, "package.tgz");
  await step("deno pack", [deno, "pack", "--allow-dirty", "--quiet", "-o", tarball], ROOT);
  await step("npm install", ["npm", "install", "--no-audit", "--no-fund", tarball], folder);
  await step("types", [deno, "check", "consumer_types.ts"], folder);
  const entries = Object.keys(exports).map((entry) => name + entry.slice(1));
  for (const runtimeName of RUNTIME_NAMES) {
    const { path } = await findRuntime(runtimeName);
    const flags = runtimeName === "deno" ? ["run", "-A"] : [];
    await step(runtimeName, [path, ...flags, "consumer.mjs", ...entries], folder);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function step(
  name: string,
  command: readonly [string, ...string[]],
  cwd: string,
): Promise<void> {
  const { code, trouble, output } = await runCommand(command, { cwd });
  if (code !== 0) {
    throw new Error(
      `Packed package: ${name} ${trouble ?? `ended with exit code ${code}`}\n${output}`,
    );
  }
  console.log(`packed package: ${name} ok`);
}
