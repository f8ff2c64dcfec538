/*
 * Runs the benches on every runtime: deno task bench [options]
 *
 *   --quick           short runs that show only that the benches work
 *   --runtime NAME    only on deno, bun or node; may be repeated
 *   --only NAME       only benches whose file name contains the text; may be repeated
 *   --json FILE       writes all figures to a file, see bench/suite/figure.ts
 *   --report FILE     writes a page with charts and tables, with SVG files of the charts beside it
 *
 * Ctrl-C ends the run and keeps what is done; what was measured before a kill is in FILE too. `deno task bench:compare OLD NEW`
 * compares two files of figures.
 */

import { globSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findRuntime, type Runtime, RUNTIME_NAMES } from "../tests/run/runtimes.ts";
import { runCommand } from "../tests/run/spawn.ts";
import { BenchSession } from "./suite/session.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    runtime: { type: "string", multiple: true, default: [...RUNTIME_NAMES] },
    only: { type: "string", multiple: true, default: [] },
    json: { type: "string" },
    report: { type: "string" },
  },
});

const folder = process.cwd();
process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

const files = globSync("bench/*_bench.ts")
  .filter((file) => values.only.length === 0 || values.only.some((text) => file.includes(text)))
  .sort();
if (files.length === 0) throw new TypeError(`Cannot find a bench named ${values.only.join(", ")}`);

await runCommand([process.execPath, "install", "--quiet"]);
const runtimes: Runtime[] = [];
for (const name of values.runtime) {
  const known = RUNTIME_NAMES.find((candidate) => candidate === name);
  if (known === undefined) {
    throw new TypeError(`Cannot run benches on "${name}": known are ${RUNTIME_NAMES.join(", ")}`);
  }
  runtimes.push(await findRuntime(known));
}

const session = new BenchSession({ files, runtimes, isQuick: values.quick });
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => session.interrupt());
const report = await session.run({ json: values.json, report: values.report, folder });
const failed = report.runs.filter(({ trouble }) => trouble !== undefined);
for (const { bench, runtime, trouble } of failed) {
  console.log(`FAILED ${bench} on ${runtime} ${trouble}`);
}
console.log(`\n${report.runs.length - failed.length} benches ran, ${failed.length} failed`);
if (failed.length > 0 || session.isInterrupted) process.exitCode = session.isInterrupted ? 130 : 1;
