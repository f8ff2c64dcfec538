/*
 * Compares files of figures: deno task bench:compare OLD.json [OLD.json ...] NEW.json
 *
 *   --all   shows also what did not change
 *
 * What has a floor is compared by its ratio to it, everything else by value,
 * less what the machine is slower by, which the floors of its bench tell. A
 * change counts when it is beyond the noise: the spread of both runs and of
 * their floors, and at least 20 %, more of what few calls decide. Where
 * benches are run twice before a change, and both files given, it has to be
 * so against each. Ends with exit code 1 when something became worse.
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { printTable } from "./demo/table.ts";
import { type Change, compareReports } from "./suite/compare_reports.ts";
import { type BenchReport, showNumber } from "./suite/figure.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { all: { type: "boolean", default: false } },
});
if (positionals.length < 2) {
  throw new TypeError("Cannot compare: give two files that deno task bench --json has written");
}
const reports = positionals.map((file): BenchReport => JSON.parse(readFileSync(file, "utf8")));
const { changes, drifts } = compareReports(reports.slice(0, -1), reports.at(-1)!);
const shown = values.all ? changes : changes.filter(({ verdict }) => verdict !== "same");
printTable(
  ["figure", "before", "after", "change", "noise", ""],
  shown.map(({ title, unit, before, after, change, noise, verdict }) => [
    title,
    `${showNumber(before)} ${unit}`,
    `${showNumber(after)} ${unit}`,
    percent(change, true),
    percent(noise, false),
    verdict,
  ]),
);
if (drifts.length > 0) {
  console.log("\nthe machine: what the floors in the middle cost more or less than before");
  printTable(
    ["bench", "change"],
    drifts.map(({ title, change }) => [title, percent(change, true)]),
  );
}
const count = (verdict: Change["verdict"]): number =>
  changes.filter((change) => change.verdict === verdict).length;
console.log(
  `\n${changes.length} figures: ${count("better")} better, ${count("worse")} worse, ` +
    `${count("same")} the same within noise`,
);
if (count("worse") > 0) process.exitCode = 1;

function percent(share: number, isSigned: boolean): string {
  return `${isSigned && share > 0 ? "+" : ""}${(share * 100).toFixed(0)} %`;
}
