/*
 * What must hold before a commit: deno task ok [--no-tests] [name of a check ...]
 *
 * --no-tests is for who has just run them all.
 */

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { listFailed } from "../run/failed.ts";
import { type CommandResult, runCommand } from "../run/spawn.ts";
import type { Failure } from "../run/suite.ts";
import { ROOT } from "./tree.ts";

interface Check {
  readonly name: string;
  /** Arguments of `deno`. */
  readonly args: readonly string[];
}

const SHIPPED = ["mod.ts", "src", "backends", "codecs"];
const SHIPPED_RULES = "no-console,explicit-module-boundary-types";

const checks: readonly Check[] = [
  { name: "format", args: ["fmt", "--check"] },
  { name: "lint", args: ["lint"] },
  {
    // Tests and benches may print; the library may not. Only the rules on top of those above.
    name: "lint-shipped",
    args: [
      "lint",
      "--no-config",
      "--rules-tags=jsr",
      `--rules-include=${SHIPPED_RULES}`,
      ...SHIPPED,
    ],
  },
  { name: "types", args: ["check"] },
  { name: "neutral", args: ["check", "-c", "tests/neutral.json", ...SHIPPED] },
  { name: "docs", args: ["doc", "--lint", ...entries()] },
  { name: "figures", args: ["run", "-A", "--no-check", "bench/readme_figures.ts", "--check"] },
  { name: "examples", args: ["test", "-A", "--doc", ...SHIPPED] },
];

process.chdir(ROOT);
const args = process.argv.slice(2);
const hasTests = !args.includes("--no-tests");
const wanted = args.filter((arg) => arg !== "--no-tests");
const names = [...checks.map(({ name }) => name), "tests"];
for (const name of wanted) {
  if (!names.includes(name)) {
    throw new TypeError(`Cannot check "${name}": known are ${names.join(", ")}`);
  }
}
const isWanted = (name: string): boolean => wanted.length === 0 || wanted.includes(name);

const broken: Failure[] = [];
const started = performance.now();
const queue = checks.filter(({ name }) => isWanted(name));
// Makes node_modules first, so that the checks do not all start on it at once.
await runCommand([process.execPath, "install", "--quiet"]);
await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, work));
if (hasTests && isWanted("tests")) {
  // One runtime and short forms, for the sake of a quick loop: `deno task test` has them all.
  const tests = await runCommand(
    [process.execPath, "run", "-A", "tests/run.ts", "--embedded", "--runtime", "deno"],
    { show: true, limit: 30 * 60_000, env: { STRATA_LONG: "0.2" } },
  );
  report("tests", tests);
}
const total = ((performance.now() - started) / 1000).toFixed(1);
if (broken.length > 0) {
  for (const line of listFailed(broken)) console.log(line);
  console.log(`not ok: ${broken.map(({ title }) => title).join(", ")} (${total} s)`);
  process.exitCode = 1;
} else {
  console.log(`ok (${total} s)`);
}

async function work(): Promise<void> {
  for (let check = queue.shift(); check !== undefined; check = queue.shift()) {
    report(check.name, await runCommand([process.execPath, ...check.args]));
  }
}

function report(name: string, { code, trouble, output, elapsed }: CommandResult): void {
  const seconds = `${(elapsed / 1000).toFixed(1)} s`;
  if (code === 0) {
    console.log(`ok      ${name.padEnd(14)} ${seconds}`);
  } else {
    const told = output.replace(/^Check .*\n/gm, "").trim();
    broken.push({ title: name, detail: `${trouble ?? ""} ${told}` });
    const ending = trouble === undefined ? "" : `\n    ${trouble}`;
    console.log(`not ok  ${name.padEnd(14)} ${seconds}${ending}`);
    if (told !== "") console.log(told.replace(/^/gm, "    "));
  }
}

/** Every file that users can import. */
function entries(): string[] {
  const { exports } = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8")) as {
    exports: Record<string, string>;
  };
  return [...new Set(Object.values(exports))];
}
