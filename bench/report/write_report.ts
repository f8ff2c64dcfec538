import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { BenchReport } from "../suite/figure.ts";
import { chartsOf } from "./charts.ts";
import { drawChart, standalone } from "./draw_chart.ts";
import { pageOf } from "./page.ts";

/**
 * Writes a page that stands alone, and beside it a folder of the same name
 * with each chart as an SVG file.
 *
 * @param file the page's path; it should end in `.html`.
 */
export function writeReport(report: BenchReport, file: string): void {
  const charts = chartsOf(report).map((chart) => ({ chart, svg: drawChart(chart) }));
  const folder = join(dirname(file), `${file.replace(/^.*\//, "").replace(/\.html$/, "")}-charts`);
  mkdirSync(folder, { recursive: true });
  for (const { chart, svg } of charts) {
    writeFileSync(join(folder, `${chart.id}.svg`), standalone(svg));
  }
  writeFileSync(file, pageOf(report, charts));
  console.log(`\nThe report is in ${file}, its charts in ${folder}`);
}
