import type { BenchReport, Figure } from "../suite/figure.ts";
import { README_TABLES } from "./readme_tables.ts";
import { lookupIn, type ReadmeTable, tableMarkdown } from "./tables.ts";

/** Leaves only the figures that README shows, and their floors. */
export function extractFigures(
  report: BenchReport,
  tables: readonly ReadmeTable[] = README_TABLES,
): BenchReport {
  const wanted = tables.flatMap(({ rows }) => rows.flat())
    .flatMap((cell) => typeof cell === "string" ? [] : [cell.figure]);
  const isWanted = (bench: string, figure: Figure): boolean =>
    wanted.some((selector) =>
      selector.bench === bench && selector.group === figure.group &&
      selector.metric === figure.metric && selector.subject === figure.subject
    );
  const runs = report.runs.map((run) => {
    const shown = run.figures.filter((figure) => isWanted(run.bench, figure));
    const isFloor = (figure: Figure): boolean =>
      shown.some(({ group, metric, floor }) =>
        group === figure.group && metric === figure.metric && floor === figure.subject
      );
    return {
      ...run,
      figures: run.figures.filter((figure) => shown.includes(figure) || isFloor(figure)),
      notes: [],
    };
  });
  return { ...report, runs: runs.filter(({ figures }) => figures.length > 0) };
}

/**
 * Replaces what stands between the marks of each table.
 *
 * @throws when README has no place for a table, or a figure is missing.
 */
export function fillReadme(
  readme: string,
  report: BenchReport,
  tables: readonly ReadmeTable[] = README_TABLES,
): string {
  const lookup = lookupIn(report);
  let filled = replaceBetween(readme, "method", methodLine(report));
  for (const table of tables) {
    filled = replaceBetween(filled, table.name, tableMarkdown(table, lookup));
  }
  return filled;
}

function methodLine({ method: { machine, cores, runtimes, date, load } }: BenchReport): string {
  const { deno, bun, node } = runtimes;
  return `${machine}, ${cores} cores, Deno ${deno} / Bun ${bun} / Node ${node}, ${
    date.slice(0, 10)
  }, load ${load[0].toFixed(1)} before and ${
    load[1].toFixed(1)
  } after, by \`deno task bench\`; each row was measured beside its floor in one run, so the ratios carry over to other machines and the times do not.`;
}

function replaceBetween(text: string, name: string, content: string): string {
  const opening = `<!-- figures: ${name} -->\n`;
  const closing = "\n<!-- end of figures -->";
  const start = text.indexOf(opening);
  const end = text.indexOf(closing, start);
  if (start < 0 || end < 0) throw new Error(`Cannot fill README: it has no place for "${name}"`);
  return text.slice(0, start + opening.length) + content + text.slice(end);
}
