import {
  type BenchReport,
  type Figure,
  ratioOf,
  showNumber,
  showValue,
  type Unit,
} from "../suite/figure.ts";

/** The runtimes in the order in which README shows them. */
export const README_RUNTIMES = ["deno", "bun", "node"] as const;

/** Which figure a cell shows. */
export interface Selector {
  readonly bench: string;
  readonly group: string;
  readonly subject: string;
  readonly metric: string;
}

/** A table of README with a heading for each column. */
export interface ReadmeTable {
  /** Its place in README: between `<!-- figures: NAME -->` and `<!-- end of figures -->`. */
  readonly name: string;
  readonly headings: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** Words, or figures of all runtimes. */
export type Cell = string | Shown;

/** How figures are shown in a cell. */
export interface Shown {
  readonly figure: Selector;
  /** The value with its unit, the value alone, or the ratio to the floor. @default "value" */
  readonly as?: "value" | "number" | "ratio";
  /** Follows the ratio. */
  readonly of?: string;
}

/** Gives the figure of one runtime, and all that were measured with it. */
export type Lookup = (
  selector: Selector,
  runtime: string,
) => { readonly figure: Figure; readonly all: readonly Figure[] } | undefined;

/** Finds figures in a report. */
export function lookupIn({ runs }: BenchReport): Lookup {
  return ({ bench, ...wanted }, runtime) => {
    const run = runs.find((one) => one.bench === bench && one.runtime === runtime);
    const figure = run?.figures.find(({ group, subject, metric }) =>
      group === wanted.group && subject === wanted.subject && metric === wanted.metric
    );
    return figure === undefined ? undefined : { figure, all: run!.figures };
  };
}

/** Writes a table as Markdown. @throws when a figure is missing. */
export function tableMarkdown({ headings, rows }: ReadmeTable, lookup: Lookup): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(headings),
    `|${"---|".repeat(headings.length)}`,
    ...rows.map((cells) => line(cells.map((cell) => showCell(cell, lookup)))),
  ].join("\n");
}

/** The texts of the rows whose figures were all measured, on some of the runtimes. */
export function measuredRows(
  { rows }: ReadmeTable,
  lookup: Lookup,
  runtimes: readonly string[],
): string[][] {
  const isMeasured = (cell: Cell): boolean =>
    typeof cell === "string" || runtimes.some((runtime) => lookup(cell.figure, runtime));
  return rows.filter((cells) => cells.every(isMeasured))
    .map((cells) => cells.map((cell) => showCell(cell, lookup, runtimes)));
}

function showCell(
  cell: Cell,
  lookup: Lookup,
  runtimes: readonly string[] = README_RUNTIMES,
): string {
  if (typeof cell === "string") return cell;
  const { figure: selector, as = "value", of } = cell;
  const found = runtimes.map((runtime) => lookup(selector, runtime));
  const unit = found.find((one) => one !== undefined)?.figure.unit;
  if (unit === undefined) {
    const { bench, group, subject, metric } = selector;
    throw new Error(`Cannot fill README: no figure "${bench}: ${group}: ${subject}, ${metric}"`);
  }
  const numbers = found.map((one) => {
    if (one === undefined) return "–";
    if (as !== "ratio") return showNumber(one.figure.value);
    const ratio = ratioOf(one.figure, one.all);
    return ratio === undefined ? "–" : ratio.toFixed(2);
  });
  // What is the same everywhere, such as bytes, is said once.
  const shown = new Set(numbers).size === 1 ? numbers[0]! : numbers.join(" / ");
  if (as === "number") return shown;
  return as === "ratio" ? `${shown} ×${of === undefined ? "" : ` ${of}`}` : withUnit(shown, unit);
}

function withUnit(numbers: string, unit: Unit): string {
  return showValue(1, unit).replace(/[\d.,]+/, numbers);
}
