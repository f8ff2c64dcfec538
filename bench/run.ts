/*
 * Runs the benches, one after another: deno task bench [options]
 *
 *   --quick           short runs that show only that the benches work
 *   --runtime NAME    only on deno, bun or node; may be repeated
 *   --only NAME       only benches whose file name contains the text; may be repeated
 */

import { globSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findRuntime, RUNTIME_NAMES } from "../tests/run/runtimes.ts";
import { runCommand } from "../tests/run/spawn.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    runtime: { type: "string", multiple: true, default: [...RUNTIME_NAMES] },
    only: { type: "string", multiple: true, default: [] },
  },
});

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

const files = globSync("bench/**/*_bench.ts")
  .filter((file) => values.only.length === 0 || values.only.some((text) => file.includes(text)))
  .sort();
if (files.length === 0) throw new TypeError(`Cannot find a bench named ${values.only.join(", ")}`);

await runCommand([process.execPath, "install", "--quiet"]);
const failed: string[] = [];
for (const name of values.runtime) {
  const known = RUNTIME_NAMES.find((candidate) => candidate === name);
  if (known === undefined) {
    throw new TypeError(`Cannot run benches on "${name}": known are ${RUNTIME_NAMES.join(", ")}`);
  }
  const runtime = await findRuntime(known);
  // Node and V8 in Deno can then be told to collect garbage between measurements.
  const flags = {
    deno: ["run", "-A", "--no-check", "--v8-flags=--expose-gc"],
    bun: ["run"],
    node: ["--expose-gc"],
  }[known];
  for (const file of files) {
    console.log(`\n${file} on ${name} ${runtime.version}`);
    const result = await runCommand(
      [runtime.path, ...flags, file, ...(values.quick ? ["--quick"] : [])],
      { show: true, limit: 20 * 60_000 },
    );
    if (result.code !== 0) {
      failed.push(`${file} on ${name} ${result.trouble ?? `ended with exit code ${result.code}`}`);
    }
  }
}
for (const line of failed) console.log(`FAILED ${line}`);
console.log(
  `\n${files.length * values.runtime.length - failed.length} benches ran, ${failed.length} failed`,
);
if (failed.length > 0) process.exitCode = 1;
