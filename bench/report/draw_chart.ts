import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { isMoreBetter } from "../suite/figure.ts";
import { type Chart, partsOf } from "./charts.ts";

/** Each has a colour, a variable of the page or file that the chart stands in: see {@linkcode COLOURS}. */
const RUNTIMES = ["deno", "bun", "node"];

/** For pages and SVG files, in light and in dark. */
export const COLOURS = `
:root { --deno: #1f6fb2; --bun: #c2571a; --node: #2f8f4e; --ink: #1c1e21; --paper: #ffffff; --faint: #6b7178; --line: #d9dce0; }
@media (prefers-color-scheme: dark) {
  :root { --deno: #6cb4f0; --bun: #f0a36b; --node: #74cf8f; --ink: #e8eaed; --paper: #15171a; --faint: #9aa1a9; --line: #343a40; }
}`;

const WIDTH = 900;
const ROW_HEIGHT = 18;
const CHARACTER_WIDTH = 6.9;
const LEAST_MARGIN = 90;
/** Where the largest is so many times the smallest, the scale is logarithmic. */
const LOGARITHMIC_FROM = 12;
/** Charts of more rows have their scale at both ends. */
const MAX_ROWS_WITH_ONE_SCALE = 30;

/** A subject in one case, on one runtime. */
interface Mark {
  /** Which row it stands in. */
  readonly row: string;
  readonly runtime: string;
  readonly value: number;
  readonly far: number | undefined;
  readonly farthest: number | undefined;
  readonly title: string;
}

/** A line of the chart: the heading of a case, or a subject in it. */
interface Row {
  readonly id: string;
  readonly text: string;
  readonly isHeading: boolean;
}

/** Draws a chart as SVG: a row for each subject in each case, a mark for each runtime. */
export function drawChart(chart: Chart): string {
  const { document } = parseHTML("<html><body></body></html>") as unknown as { document: never };
  const rows = rowsOf(chart);
  const marks = marksOf(chart);
  const ranged = marks.filter(({ far }) => far !== undefined);
  const [first] = chart.figures;
  const { unit } = first!;
  const longest = Math.max(...rows.filter((row) => !row.isHeading).map(({ text }) => text.length));
  const values = marks.flatMap(({ value, far, farthest }) => [value, farthest ?? far ?? value]);
  const isLogarithmic = Math.min(...values) > 0 &&
    Math.max(...values) / Math.min(...values) > LOGARITHMIC_FROM;
  const textOf = new Map(rows.map(({ id, text, isHeading }) => [id, isHeading ? "" : text]));
  const headings = rows.filter(({ isHeading, text }) => isHeading && text !== "");
  const plot = Plot.plot({
    document,
    width: WIDTH,
    height: 76 + rows.length * ROW_HEIGHT,
    marginTop: 32,
    marginLeft: Math.max(LEAST_MARGIN, 16 + longest * CHARACTER_WIDTH),
    marginRight: 24,
    marginBottom: 44,
    style: { background: "transparent", fontSize: "12px", overflow: "visible" },
    x: {
      grid: true,
      axis: rows.length > MAX_ROWS_WITH_ONE_SCALE ? "both" : "bottom",
      ...(isLogarithmic ? { type: "log" } : { zero: true }),
      label: `${unit === "us" ? "µs" : unit} (${isMoreBetter(first!) ? "more" : "less"} is better)`,
      tickFormat: (value: number) => value.toLocaleString("en-US", { maximumSignificantDigits: 3 }),
    },
    y: {
      label: null,
      domain: rows.map(({ id }) => id),
      tickSize: 0,
      tickFormat: (id: string) => textOf.get(id) ?? "",
    },
    color: { domain: RUNTIMES, range: RUNTIMES.map((name) => `var(--${name})`) },
    symbol: { domain: RUNTIMES },
    marks: [
      Plot.text(headings, {
        y: "id",
        text: "text",
        frameAnchor: "left",
        textAnchor: "start",
        fontWeight: "bold",
        fill: "currentColor",
      }),
      Plot.ruleY(ranged, { y: "row", x1: "value", x2: "far", stroke: "runtime" }),
      Plot.tickX(ranged.filter(({ farthest }) => farthest !== undefined), {
        x: "farthest",
        y: "row",
        stroke: "runtime",
        insetTop: 5,
        insetBottom: 5,
      }),
      Plot.dot(marks, {
        x: "value",
        y: "row",
        fill: "runtime",
        symbol: "runtime",
        r: 4,
        title: "title",
      }),
    ],
  });
  return plot.outerHTML.replace(/^<svg /, '<svg xmlns="http://www.w3.org/2000/svg" ');
}

/** A drawing as a file of its own. */
export function standalone(svg: string): string {
  return svg.replace(">", `><style>${COLOURS} svg { color: var(--ink); }</style>`);
}

function rowsOf({ figures }: Chart): Row[] {
  const cases = new Map<string, Set<string>>();
  for (const { group, subject } of figures) {
    const [, rest] = partsOf(group);
    cases.set(rest, (cases.get(rest) ?? new Set()).add(subject));
  }
  return [...cases].flatMap(([rest, subjects]) => [
    { id: rowId(rest, ""), text: rest, isHeading: true },
    ...[...subjects].map((subject) => ({
      id: rowId(rest, subject),
      text: subject,
      isHeading: false,
    })),
  ]);
}

function marksOf({ figures, metrics: [near, far, farthest] }: Chart): Mark[] {
  const values = new Map(figures.map((figure) => [markId(figure, figure.metric), figure.value]));
  return figures.filter(({ metric }) => metric === near).map((figure) => ({
    row: rowId(partsOf(figure.group)[1], figure.subject),
    runtime: figure.runtime,
    value: figure.value,
    far: values.get(markId(figure, far)),
    farthest: values.get(markId(figure, farthest)),
    title: `${figure.subject} on ${figure.runtime}: ${figure.value} ${figure.unit}`,
  }));
}

function rowId(rest: string, subject: string): string {
  return JSON.stringify([rest, subject]);
}

function markId(
  { group, subject, runtime }: Chart["figures"][number],
  metric: string | undefined,
): string {
  return JSON.stringify([group, subject, runtime, metric]);
}
