import {
  type BenchReport,
  beyondGoal,
  type Figure,
  type Method,
  ratioOf,
  showNumber,
  showValue,
} from "../suite/figure.ts";
import { README_TABLES } from "../readme/readme_tables.ts";
import { lookupIn, measuredRows } from "../readme/tables.ts";
import type { Chart, RuntimeFigure } from "./charts.ts";
import { COLOURS } from "./draw_chart.ts";
import { escapeHtml, html } from "./html.ts";

/** A chart and its drawing. */
export interface DrawnChart {
  readonly chart: Chart;
  readonly svg: string;
}

const STYLE = `${COLOURS}
body { color: var(--ink); background: var(--paper); font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 3rem; border-bottom: 1px solid var(--line); } h3 { font-size: 1rem; margin: 2rem 0 0.5rem; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; } th, td { padding: 2px 10px; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th.text, td.text { text-align: left; white-space: normal; } th { color: var(--faint); font-weight: 600; }
.scroll { overflow-x: auto; margin: 1rem 0; } nav { margin-top: 1rem; } .missed { font-weight: 700; } .faint { color: var(--faint); } nav a { margin-right: 1rem; } a { color: var(--deno); }
.key span { margin-right: 1.2rem; } .deno { color: var(--deno); } .bun { color: var(--bun); } .node { color: var(--node); }
.scroll svg { min-width: 40rem; max-width: 100%; height: auto; } summary { cursor: pointer; color: var(--faint); }`;

/** The whole page. It needs nothing from anywhere else. */
export function pageOf(report: BenchReport, drawn: readonly DrawnChart[]): string {
  const benches = [...new Set(report.runs.map(({ bench }) => bench))];
  return html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <meta name="color-scheme" content="light dark">
        <title>Strata benches</title>
        <style>${[STYLE]}</style>
      </head>
      <body>
    <h1>Strata benches</h1>
    ${[methodOf(report.method)]}
    <nav>${benches.map((bench) =>
      html`
        <a href="#${bench}">${titleOf(bench)}</a>
      `
    )}</nav>
    ${[glanceOf(report)]}
    ${[goalsOf(report)]}
    ${benches.map((bench) =>
      sectionOf(bench, report, drawn.filter(({ chart }) => chart.bench === bench))
    )}
      </body>
    </html>
  `;
}

function methodOf(method: Method): string {
  const runtimes = Object.entries(method.runtimes).map(([name, version]) => `${name} ${version}`);
  const packages = Object.entries(method.packages).map(([name, version]) => `${name} ${version}`);
  const [before, after] = method.load;
  return html`
    <p>${method.date.slice(0, 16).replace("T", " ")} UTC, ${method.machine}, ${String(
      method.cores,
    )} cores, ${String(method.memoryGb)} GB, ${method.system}; load ${before.toFixed(
      1,
    )} before and ${after.toFixed(1)} after. ${runtimes.join(", ")}.</p>
    ${method.isQuick
      ? [
        html`<p class="missed">Quick runs: they show that the benches work, the figures mean little.</p>`,
      ]
      : []}
    ${method.isPartial ? [html`<p class="missed">Ended before all benches had run.</p>`] : []}
    <p>Contenders take turns in short rounds after rounds that do not count, so that what drifts on the machine hits all alike; the median of the rounds is shown, with half the width of their middle half and the number of samples ("±3 % of 40"). A figure's ratio is to its floor, the least that the same work costs on this runtime in the same run: only ratios carry over to other machines. In charts of latency a dot is the median, its line reaches to the 99th percentile, the tick is the 99.9th.</p>
    <p
      class="key"><span class="deno">● deno</span><span class="bun">✚ bun</span><span class="node">◆ node</span></p>
    <details>
      <summary>Packages measured</summary>
      <p class="faint">${packages.join(", ")}</p>
    </details>
  `;
}

/** What README shows, as far as it was measured. */
function glanceOf(report: BenchReport): string {
  const runtimes = Object.keys(report.method.runtimes);
  const tables = README_TABLES.flatMap((table) => {
    const rows = measuredRows(table, lookupIn(report), runtimes);
    return rows.length === 0 ? [] : [tableOf(table.headings, rows, 1)];
  });
  if (tables.length === 0) return "";
  return html`
    <h2>At a glance</h2>
    <p class="faint">Figures of ${runtimes.join(" / ")}, one where they are the same.</p>
    ${tables}
  `;
}

function goalsOf({ runs }: BenchReport): string {
  const judged = runs.flatMap(({ runtime, bench, figures }) =>
    figures.flatMap((figure) => {
      const beyond = beyondGoal(figure, figures);
      return beyond === undefined ? [] : [{ runtime, bench, figure, figures, beyond }];
    })
  );
  if (judged.length === 0) return "";
  const missed = judged.filter(({ beyond }) => beyond > 0).sort((a, b) => b.beyond - a.beyond);
  const runtimes = [...new Set(judged.map(({ runtime }) => runtime))];
  const benches = [...new Set(judged.map(({ bench }) => bench))];
  const keptBy = (bench: string, runtime: string): string => {
    const own = judged.filter((one) => one.bench === bench && one.runtime === runtime);
    return `${own.filter(({ beyond }) => beyond === 0).length} of ${own.length}`;
  };
  return html`
    <h2>Goals</h2>
    <p>${String(judged.length - missed.length)} of ${String(judged.length)} kept.</p>
    ${[tableOf(
      ["bench", ...runtimes],
      benches.map((bench) => [titleOf(bench), ...runtimes.map((name) => keptBy(bench, name))]),
      1,
    )]}
    <details><summary>Missed, the furthest first</summary>${[tableOf(
      ["bench", "runtime", "what", "who", "figure", "goal", "beyond it"],
      missed.map(({ bench, runtime, figure, figures, beyond }) => [
        bench,
        runtime,
        `${figure.group}: ${figure.metric}`,
        figure.subject,
        showGoalValue(figure, figures),
        showGoal(figure),
        `${showNumber(beyond * 100)} %`,
      ]),
      4,
    )]}</details>
  `;
}

function sectionOf(bench: string, { runs }: BenchReport, drawn: readonly DrawnChart[]): string {
  const own = runs.filter((run) => run.bench === bench);
  const remarks = own.flatMap(({ runtime, notes, trouble }) => [
    ...notes.map((text) => `${runtime}: ${text}`),
    ...(trouble === undefined ? [] : [`${runtime}: ${trouble}`]),
  ]);
  return html`<h2 id="${bench}">${titleOf(bench)}</h2>
<p class="faint">${own.map(({ runtime, seconds }) => `${runtime} ${seconds} s`).join(", ")}</p>
${[...new Set(remarks)].map((remark) => html`<p class="faint">${remark}</p>`)}
${
    drawn.map(({ chart, svg }) =>
      html`<h3>${chart.title}</h3><div class="scroll">${[svg]}</div>${[figuresOf(chart, own)]}`
    )
  }`;
}

/** The table under a chart: a row for each case and subject, a column for each runtime and metric. */
function figuresOf(chart: Chart, runs: BenchReport["runs"]): string {
  const runtimes = runs.map(({ runtime }) => runtime);
  const rows = new Map<string, RuntimeFigure[]>();
  for (const figure of chart.figures) {
    const id = JSON.stringify([figure.group, figure.subject]);
    rows.set(id, [...rows.get(id) ?? [], figure]);
  }
  const headings = runtimes.flatMap((runtime) =>
    chart.metrics.map((metric) => chart.metrics.length > 1 ? `${runtime} ${metric}` : runtime)
  );
  const cells = [...rows.values()].map((figures) => [
    figures[0]!.group,
    figures[0]!.subject,
    ...runtimes.flatMap((runtime) =>
      chart.metrics.map((metric) => {
        const figure = figures.find((one) => one.runtime === runtime && one.metric === metric);
        const all = runs.find((run) => run.runtime === runtime)?.figures ?? [];
        return figure === undefined ? "" : showFigure(figure, all);
      })
    ),
  ]);
  return html`<details><summary>Table</summary>${[
    tableOf(["what", "who", ...headings], cells, 2),
  ]}</details>`;
}

function showFigure(figure: Figure, all: readonly Figure[]): string {
  const ratio = ratioOf(figure, all);
  const spread = figure.spread === undefined ? "" : ` ±${Math.round(figure.spread * 50)} %`;
  const samples = figure.samples === undefined ? "" : ` of ${figure.samples}`;
  return `${showValue(figure.value, figure.unit)}${spread}${samples}${
    ratio === undefined ? "" : ` (${ratio.toFixed(2)} ×)`
  }`;
}

function showGoalValue(figure: Figure, all: readonly Figure[]): string {
  return figure.goal?.of === "ratio"
    ? `${showNumber(ratioOf(figure, all) ?? NaN)} × ${figure.floor}`
    : showValue(figure.value, figure.unit);
}

function showGoal({ goal, unit }: Figure): string {
  const limit = goal?.atMost ?? goal?.atLeast ?? NaN;
  const shown = goal?.of === "ratio" ? `${limit} ×` : showValue(limit, unit);
  return `${goal?.atMost === undefined ? "≥" : "≤"} ${shown}`;
}

function tableOf(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  textColumns: number,
): string {
  const cell = (tag: "th" | "td", text: string, at: number): string =>
    `<${tag}${at < textColumns ? ' class="text"' : ""}>${codeIn(escapeHtml(text))}</${tag}>`;
  const line = (tag: "th" | "td", cells: readonly string[]): string =>
    `<tr>${cells.map((text, at) => cell(tag, text, at)).join("")}</tr>`;
  return `<div class="scroll"><table>${line("th", headings)}${
    rows.map((row) => line("td", row)).join("\n")
  }</table></div>`;
}

/** Marks what stands between backticks as code. */
function codeIn(safe: string): string {
  return safe.replace(/`([^`]+)`/g, "<code>$1</code>");
}

function titleOf(bench: string): string {
  const words = bench.replaceAll("_", " ");
  return words[0]!.toUpperCase() + words.slice(1);
}
