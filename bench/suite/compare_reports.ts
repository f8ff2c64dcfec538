import { type BenchReport, type Figure, isMoreBetter, ratioOf } from "./figure.ts";

/** How one figure differs between two reports. */
export interface Change {
  /** Bench, runtime, group, subject and metric. */
  readonly title: string;
  /** `×` where ratios to the floor are compared. */
  readonly unit: string;
  readonly before: number;
  readonly after: number;
  /** By which share it costs more (+) or less (−) than before. */
  readonly change: number;
  /** The share up to which it is not told from chance. */
  readonly noise: number;
  readonly verdict: "better" | "worse" | "same";
}

/** What no run of a shared machine tells apart. */
const LEAST_NOISE = 0.1;

/** Compares what stands in both reports, by ratio to the floor where there is one; worst first. */
export function compareReports(before: BenchReport, after: BenchReport): Change[] {
  const changes: Change[] = [];
  for (const run of after.runs) {
    const earlier = before.runs.find(({ bench, runtime }) =>
      bench === run.bench && runtime === run.runtime
    );
    for (const figure of run.figures) {
      const old = earlier?.figures.find((one) => idOf(one) === idOf(figure));
      if (old === undefined) continue;
      const title =
        `${run.bench} ${run.runtime}: ${figure.group}: ${figure.subject}, ${figure.metric}`;
      changes.push(changeOf(title, old, earlier!.figures, figure, run.figures));
    }
  }
  return changes.sort((one, other) => other.change - one.change);
}

function changeOf(
  title: string,
  old: Figure,
  oldOnes: readonly Figure[],
  figure: Figure,
  newOnes: readonly Figure[],
): Change {
  const ratios = [ratioOf(old, oldOnes), ratioOf(figure, newOnes)];
  const [oldRatio, newRatio] = ratios;
  const isRatio = oldRatio !== undefined && newRatio !== undefined;
  const earlier = isRatio ? oldRatio : old.value;
  const later = isRatio ? newRatio : figure.value;
  // A ratio to the floor says what it costs; a bare speed is the other way round.
  const cost = !isRatio && isMoreBetter(figure) ? earlier / later : later / earlier;
  const change = earlier === later ? 0 : cost - 1;
  const noise = Math.max(LEAST_NOISE, old.spread ?? 0, figure.spread ?? 0);
  const isClear = Math.abs(Math.log(1 + change)) > Math.log(1 + noise);
  return {
    title,
    unit: isRatio ? "×" : figure.unit,
    before: earlier,
    after: later,
    change,
    noise,
    verdict: !isClear ? "same" : change > 0 ? "worse" : "better",
  };
}

function idOf({ group, subject, metric }: Figure): string {
  return JSON.stringify([group, subject, metric]);
}
