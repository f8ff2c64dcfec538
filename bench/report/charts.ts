import type { BenchReport, Figure } from "../suite/figure.ts";

/** A figure and the runtime that it is of. */
export interface RuntimeFigure extends Figure {
  readonly runtime: string;
}

/** Figures that are shown in one chart, and in the table under it. */
export interface Chart {
  /** Tells it from all others; also the name of its file. */
  readonly id: string;
  readonly bench: string;
  readonly title: string;
  /** The metrics shown, the one that the dots show first. */
  readonly metrics: readonly string[];
  readonly figures: readonly RuntimeFigure[];
}

/** Metrics that are drawn as one line: its dot, and how far it reaches. */
const RANGES: readonly (readonly string[])[] = [["p50", "p99", "p99.9"]];

/**
 * Sorts figures into charts: one for each bench, first part of the group (up
 * to a comma), and metric or range of metrics.
 */
export function chartsOf({ runs }: BenchReport): Chart[] {
  const charts = new Map<string, { -readonly [K in keyof Chart]: Chart[K] }>();
  for (const { bench, runtime, figures } of runs) {
    for (const figure of figures) {
      const [topic] = partsOf(figure.group);
      const metrics = RANGES.find((range) => range.includes(figure.metric)) ?? [figure.metric];
      const id = [bench, topic, metrics[0]!].map(slug).join("-");
      const chart = charts.get(id) ?? {
        id,
        bench,
        title: `${topic}: ${metrics.join(", ")}`,
        metrics,
        figures: [],
      };
      chart.figures = [...chart.figures, { ...figure, runtime }];
      charts.set(id, chart);
    }
  }
  return [...charts.values()];
}

/** What a group is about, up to the first comma, and in which case. */
export function partsOf(group: string): [topic: string, rest: string] {
  const comma = group.indexOf(", ");
  return comma < 0 ? [group, ""] : [group.slice(0, comma), group.slice(comma + 2)];
}

function slug(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
}
