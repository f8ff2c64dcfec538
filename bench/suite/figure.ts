/** The units of figures. */
export type Unit = "ns" | "us" | "ms" | "s" | "MB/s" | "op/s" | "bytes" | "x" | "%" | "calls";

/** What a ratio to the floor, or the value itself, should keep to. */
export interface Goal {
  /** `"ratio"`: value by floor, or floor by value where more is better. `"value"`: the value in its unit. */
  readonly of: "ratio" | "value";
  readonly atMost?: number | undefined;
  readonly atLeast?: number | undefined;
}

/** One thing that was measured. */
export interface Figure {
  /** What was done and with what, such as `"get, 6 KB"`: figures that may be compared share it. */
  readonly group: string;
  /** Who did it, such as `"lz4"`. */
  readonly subject: string;
  /** Which aspect, such as `"encode"` or `"p99"`. */
  readonly metric: string;
  readonly unit: Unit;
  /** What is better. @default "more" of what is done in a time, else "less" */
  readonly better?: "more" | "less" | undefined;
  /** The median of the samples, unless the metric says otherwise. */
  readonly value: number;
  /** Half of the samples differ by no more than this share of the median. */
  readonly spread?: number | undefined;
  /** How many samples there were. */
  readonly samples?: number | undefined;
  /** The subject of the same group and metric that shows the least that this can cost. */
  readonly floor?: string | undefined;
  readonly goal?: Goal | undefined;
}

/** One bench on one runtime. */
export interface BenchRun {
  /** The bench's file without folder and ending, such as `"codec"`. */
  readonly bench: string;
  /** `"deno"`, `"bun"` or `"node"`. */
  readonly runtime: string;
  readonly figures: readonly Figure[];
  /** How long it took, in seconds. */
  readonly seconds: number;
  /** What was left out, such as a server that is not there. */
  readonly notes: readonly string[];
  /** Why it did not end well. */
  readonly trouble?: string | undefined;
}

/** How a report came to be. */
export interface Method {
  /** When it was begun, ISO 8601. */
  readonly date: string;
  readonly machine: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
  /** Names and versions of the runtimes. */
  readonly runtimes: Readonly<Record<string, string>>;
  /** Names and versions of the packages that were measured beside ours. */
  readonly packages: Readonly<Record<string, string>>;
  /** Whether the runs were too short to say more than that the benches work. */
  readonly isQuick: boolean;
  /** Whether it was ended before all benches had run. */
  readonly isPartial: boolean;
  /** The system's one-minute load at the beginning and at the end. */
  readonly load: readonly [number, number];
}

/** All that one call of the bench command measured. */
export interface BenchReport {
  readonly method: Method;
  readonly runs: readonly BenchRun[];
}

/** Units of speed. */
const SPEEDS: ReadonlySet<Unit> = new Set(["MB/s", "op/s"]);

/** Whether more is better. */
export function isMoreBetter({ unit, better }: Pick<Figure, "unit" | "better">): boolean {
  return better === undefined ? SPEEDS.has(unit) : better === "more";
}

/** How many times as much as its floor a figure costs; `undefined` where it has no floor. */
export function ratioOf(figure: Figure, all: readonly Figure[]): number | undefined {
  if (figure.floor === undefined || figure.floor === figure.subject) return undefined;
  const floor = all.find(({ group, subject, metric }) =>
    group === figure.group && metric === figure.metric && subject === figure.floor
  );
  if (floor === undefined) return undefined;
  return isMoreBetter(figure) ? floor.value / figure.value : figure.value / floor.value;
}

/**
 * How far a figure is beyond its goal, as a share of the limit: 0 where it is
 * kept, `undefined` where there is none, or no floor to compare with.
 */
export function beyondGoal(figure: Figure, all: readonly Figure[]): number | undefined {
  const { goal } = figure;
  if (goal === undefined) return undefined;
  const value = goal.of === "value" ? figure.value : ratioOf(figure, all);
  if (value === undefined) return undefined;
  const { atMost = Infinity, atLeast = -Infinity } = goal;
  if (value > atMost) return value / atMost - 1;
  return value < atLeast ? atLeast / value - 1 : 0;
}

/** The number and its unit, with three significant digits. */
export function showValue(value: number, unit: Unit): string {
  const digits = showNumber(value);
  return unit === "x" ? `${digits} ×` : unit === "us" ? `${digits} µs` : `${digits} ${unit}`;
}

/** Three significant digits, thousands apart. */
export function showNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString("en-US", {
    minimumFractionDigits: Math.min(digits, 3),
    maximumFractionDigits: Math.min(digits, 3),
  });
}
