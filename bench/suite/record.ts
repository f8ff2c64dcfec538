import { appendFileSync } from "node:fs";
import process from "node:process";
import type { Figure } from "./figure.ts";

/** The file into which a bench's figures go when it is run by `deno task bench`. */
export const FIGURES_FILE = "STRATA_BENCH_FIGURES";

/** A line of that file. */
export type FigureLine = { readonly figure: Figure } | { readonly note: string };

/** Hands figures to the report; each line is written at once, so that none is lost when the bench is ended. */
export function record(...figures: readonly Figure[]): void {
  for (const figure of figures) {
    // A median of nothing says nothing.
    if (Number.isFinite(figure.value)) write({ figure });
  }
}

/** Tells what was left out and why, on the screen and in the report. */
export function note(text: string): void {
  console.log(text);
  write({ note: text });
}

function write(line: FigureLine): void {
  const file = process.env[FIGURES_FILE];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`);
}
