import { medianOf } from "../demo/percentiles.ts";
import {
  type BenchReport,
  type BenchRun,
  type Figure,
  isMoreBetter,
  ratioOf,
  type Unit,
} from "./figure.ts";

/** How one figure differs from what it was. */
export interface Change {
  /** Bench, runtime, group, subject and metric. */
  readonly title: string;
  /** `×` where ratios to the floor are compared. */
  readonly unit: string;
  readonly before: number;
  readonly after: number;
  /** By which share it costs more (+) or less (−) than before, the drift of the machine taken off; of percentages, by how many hundred points. */
  readonly change: number;
  /** What it might differ by from run to run. */
  readonly noise: number;
  readonly verdict: "better" | "worse" | "same";
}

/** What the floors of one bench on one runtime cost, by which the machine is known. */
export interface Drift {
  /** Bench and runtime. */
  readonly title: string;
  /** By which share their median costs more (+) or less (−) than before. */
  readonly change: number;
}

/** What two reports show. */
export interface Comparison {
  /** The worst first. */
  readonly changes: readonly Change[];
  readonly drifts: readonly Drift[];
}

/** Units that the speed of the machine has a part in. */
const TIMES: ReadonlySet<Unit> = new Set(["ns", "us", "ms", "s", "MB/s", "op/s"]);

/*
 * Two runs of the same code on the machine of README, hours apart, differed by
 * these shares or less in 94 of 100 figures, once the drift was taken off.
 */

/** Of what the spread of its samples is known. */
const LEAST_NOISE = 0.2;
/** Of what it is not. */
const NOISE_UNSAMPLED = 0.4;
/** Of what a few calls decide. */
const TAIL_NOISE: Readonly<Record<string, number>> = { "p99": 2, "p99.9": 4 };
/** Of what chance has no part in. */
const NOISE_COUNTED = 0.1;
/** Of percentages, in hundred points: what is near 0 may be many times as much. */
const NOISE_OF_POINTS = 0.02;
/** Nanoseconds that nobody tells apart. */
const LEAST_NS = 1;

/**
 * Compares a report with earlier ones of the same benches: by ratio to the
 * floor where there is one, else by value, less what the floors of its bench
 * differ by. A change counts when it is beyond the noise against each of them.
 */
export function compareReports(earlier: readonly BenchReport[], after: BenchReport): Comparison {
  const compared = earlier.map((before) => compareTwo(before, after));
  const changes = new Map<string, Change>();
  for (const change of compared.flatMap((one) => one.changes)) {
    const known = changes.get(change.title);
    changes.set(change.title, known === undefined ? change : milder(known, change));
  }
  return {
    changes: [...changes.values()].sort((one, other) => other.change - one.change),
    drifts: compared.at(-1)?.drifts ?? [],
  };
}

/** Of two changes of a figure the one that says less. */
function milder(one: Change, other: Change): Change {
  if (one.verdict === "same" || other.verdict === "same") {
    return one.verdict === "same" ? one : other;
  }
  if (one.verdict !== other.verdict) return { ...one, verdict: "same" };
  return Math.abs(one.change) <= Math.abs(other.change) ? one : other;
}

function compareTwo(before: BenchReport, after: BenchReport): Comparison {
  const changes: Change[] = [];
  const drifts: Drift[] = [];
  for (const run of after.runs) {
    const { bench, runtime } = run;
    const old = before.runs.find((one) => one.bench === bench && one.runtime === runtime);
    if (old === undefined) continue;
    const pair = new RunPair(old, run);
    changes.push(...pair.changes());
    if (pair.drift !== 0) {
      drifts.push({ title: `${bench} ${runtime}`, change: Math.expm1(pair.drift) });
    }
  }
  return { changes, drifts };
}

/** Two runs of a bench on one runtime. Costs are compared by the logarithm of their quotient. */
class RunPair {
  readonly #title: string;
  readonly #before: readonly Figure[];
  readonly #after: readonly Figure[];
  readonly #old: ReadonlyMap<string, Figure>;
  readonly #new: ReadonlyMap<string, Figure>;
  /** By how much the floors in the middle cost more. */
  readonly drift: number;

  constructor(before: BenchRun, after: BenchRun) {
    this.#title = `${after.bench} ${after.runtime}`;
    this.#before = before.figures;
    this.#after = after.figures;
    this.#old = byId(before.figures);
    this.#new = byId(after.figures);
    const floors = new Set(after.figures.flatMap((figure) => this.#floorOf(figure) ?? []));
    const shifts = [...floors]
      .filter((id) => TAIL_NOISE[this.#new.get(id)!.metric] === undefined)
      .map((id) => this.#shift(id)).filter(Number.isFinite);
    this.drift = shifts.length === 0 ? 0 : medianOf(shifts);
  }

  /** The changes of all that is in both runs; also of floors, which may be ours. */
  changes(): Change[] {
    return this.#after.flatMap((figure) => {
      const id = idOf(figure);
      const old = this.#old.get(id);
      if (old === undefined) return [];
      return TIMES.has(figure.unit) ? [this.#timed(id, old, figure)] : [this.#counted(old, figure)];
    });
  }

  #timed(id: string, old: Figure, figure: Figure): Change {
    const floor = this.#floorOf(figure);
    const spreads = [id, ...floor === undefined ? [] : [floor]]
      .flatMap((one) => [this.#old.get(one)!.spread, this.#new.get(one)!.spread]);
    const least = spreads.includes(undefined) ? NOISE_UNSAMPLED : LEAST_NOISE;
    const noise = Math.log1p(
      Math.max(
        least,
        TAIL_NOISE[figure.metric] ?? 0,
        Math.hypot(...spreads.map((spread) => spread ?? 0)),
      ),
    );
    const values = { old, figure, before: old.value, after: figure.value, unit: figure.unit };
    if (floor === undefined) return this.#change(values, this.#shift(id) - this.drift, noise);
    const before = ratioOf(old, this.#before)!;
    const after = ratioOf(figure, this.#after)!;
    // A floor that went its own way says that something else has changed.
    const astray = Math.abs(this.#shift(floor) - this.drift);
    return this.#change(
      { ...values, before, after, unit: "×" },
      this.#shift(id) - this.#shift(floor),
      noise + astray,
    );
  }

  /** What no machine makes faster: bytes, ratios, calls, percentages. */
  #counted(old: Figure, figure: Figure): Change {
    const values = { old, figure, before: old.value, after: figure.value, unit: figure.unit };
    if (figure.unit === "%") {
      const points = (figure.value - old.value) / 100 * (isMoreBetter(figure) ? -1 : 1);
      const verdict = Math.abs(points) <= NOISE_OF_POINTS
        ? "same"
        : points > 0
        ? "worse"
        : "better";
      return { ...this.#change(values, 0, 0), change: points, noise: NOISE_OF_POINTS, verdict };
    }
    const spread = Math.hypot(old.spread ?? 0, figure.spread ?? 0);
    // Few calls differ by chance.
    const ofChance = figure.unit === "calls"
      ? Math.max(NOISE_UNSAMPLED, 3 / Math.sqrt(Math.max(1, old.value)))
      : NOISE_COUNTED;
    const shift = this.#shift(idOf(figure));
    return this.#change(values, shift, Math.log1p(Math.max(ofChance, spread)));
  }

  #change(
    { old, figure, before, after, unit }: {
      readonly old: Figure;
      readonly figure: Figure;
      readonly before: number;
      readonly after: number;
      readonly unit: string;
    },
    shift: number,
    noise: number,
  ): Change {
    const isNothing = figure.unit === "ns" && Math.abs(figure.value - old.value) < LEAST_NS;
    const isSame = isNothing || old.value === figure.value || Math.abs(shift) <= noise;
    return {
      title: `${this.#title}: ${figure.group}: ${figure.subject}, ${figure.metric}`,
      unit,
      before,
      after,
      change: Math.expm1(shift),
      noise: Math.expm1(noise),
      verdict: isSame ? "same" : shift > 0 ? "worse" : "better",
    };
  }

  /** The id of what a figure is measured by, where that is in both runs. */
  #floorOf({ group, metric, floor, subject }: Figure): string | undefined {
    if (floor === undefined || floor === subject) return undefined;
    const id = idOf({ group, metric, subject: floor });
    return this.#old.has(id) && this.#new.has(id) ? id : undefined;
  }

  #shift(id: string): number {
    const [old, figure] = [this.#old.get(id)!, this.#new.get(id)!];
    if (old.value === figure.value) return 0;
    return Math.log(figure.value / old.value) * (isMoreBetter(figure) ? -1 : 1);
  }
}

function byId(figures: readonly Figure[]): ReadonlyMap<string, Figure> {
  return new Map(figures.map((figure) => [idOf(figure), figure]));
}

function idOf({ group, subject, metric }: Pick<Figure, "group" | "subject" | "metric">): string {
  return JSON.stringify([group, subject, metric]);
}
