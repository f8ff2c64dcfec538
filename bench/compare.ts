/*
 * Compares two files of figures: deno task bench:compare OLD.json NEW.json
 *
 *   --all   shows also what did not change
 *
 * What has a floor is compared by its ratio to it, everything else by value.
 * A change counts when it is larger than the noise of both runs, and than 10 %
 * where that is more. Ends with exit code 1 when something became worse.
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
const [before, after] = positionals;
if (before === undefined || after === undefined) {
  throw new TypeError("Cannot compare: give two files that deno task bench --json has written");
}
const read = (file: string): BenchReport => JSON.parse(readFileSync(file, "utf8"));
const changes = compareReports(read(before), read(after));
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
