import { type Figure, ratioOf, showNumber, showValue, type Unit } from "../suite/figure.ts";

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

/** Writes a table as Markdown. */
export function tableMarkdown({ headings, rows }: ReadmeTable, lookup: Lookup): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(headings),
    `|${"---|".repeat(headings.length)}`,
    ...rows.map((cells) =>
      line(cells.map((cell) => typeof cell === "string" ? cell : showCell(cell, lookup)))
    ),
  ].join("\n");
}

function showCell({ figure: selector, as = "value", of }: Shown, lookup: Lookup): string {
  const found = README_RUNTIMES.map((runtime) => lookup(selector, runtime));
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
