/*
 * Writes the page and the charts of figures that were measured before:
 *
 *   deno run -A bench/report.ts FIGURES.json PAGE.html
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { writeReport } from "./report/write_report.ts";
import type { BenchReport } from "./suite/figure.ts";

const [figures, page] = process.argv.slice(2);
if (figures === undefined || page === undefined) {
  throw new TypeError("Cannot write the report: give the file of figures and that of the page");
}
writeReport(JSON.parse(readFileSync(figures, "utf8")) as BenchReport, page);
