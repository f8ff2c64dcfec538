/*
 * Puts the figures that were measured into README's tables:
 *
 *   deno run -A bench/readme_figures.ts FIGURES.json   takes over what README shows, and writes README
 *   deno run -A bench/readme_figures.ts --check        fails when README shows anything else than bench/figures.json
 */

import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { extractFigures, fillReadme } from "./readme/fill_readme.ts";
import type { BenchReport } from "./suite/figure.ts";

const README = new URL("../README.md", import.meta.url);
const KEPT = new URL("figures.json", import.meta.url);

const [given] = process.argv.slice(2);
if (given === undefined) {
  throw new TypeError("Cannot fill README: give a file of deno task bench --json, or --check");
}
const isCheck = given === "--check";
const read = (file: string | URL): BenchReport => JSON.parse(readFileSync(file, "utf8"));
const kept = isCheck ? read(KEPT) : extractFigures(read(given));
const before = readFileSync(README, "utf8");
const after = fillReadme(before, kept);
if (!isCheck) {
  writeFileSync(KEPT, `${JSON.stringify(kept, undefined, 2)}\n`);
  writeFileSync(README, after);
} else if (before !== after) {
  console.log(
    "README's figures differ from bench/figures.json: run bench/readme_figures.ts with measured figures",
  );
  process.exitCode = 1;
}
