import { medianOf, percentileOf } from "../demo/percentiles.ts";

/** One of several that do the same. */
export interface Contender {
  readonly name: string;
  /** Does it a number of times. */
  readonly run: () => unknown;
  /** How many times one run does it. */
  readonly operations: number;
  /** Called before each run, outside of the time. */
  readonly prepare?: (() => unknown) | undefined;
}

/** What came of it. */
export interface Turns {
  /** Microseconds an operation: the median of the rounds. */
  readonly us: number;
  /** The width of the middle half of the rounds, as a share of the median. */
  readonly spread: number;
  /** How many rounds counted. */
  readonly samples: number;
}

/** Options of {@linkcode takeTurns}. */
export interface TakeTurnsOptions {
  /** How long all rounds together may take, in seconds. */
  readonly seconds: number;
  /** Rounds that do not count, for the compilers. @default 2 */
  readonly warmUps?: number | undefined;
  /** The least rounds that count, whatever they take. @default 3 */
  readonly minRounds?: number | undefined;
}

/**
 * Lets contenders take turns, round after round, each round beginning with
 * another one, so that what drifts on the machine hits all alike.
 */
export async function takeTurns(
  contenders: readonly Contender[],
  { seconds, warmUps = 2, minRounds = 3 }: TakeTurnsOptions,
): Promise<Map<string, Turns>> {
  const times = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  const end = performance.now() + seconds * 1000;
  for (let round = -warmUps; round < minRounds || performance.now() < end; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const at = (turn + round + warmUps) % contenders.length;
      const { name, run, operations, prepare } = contenders[at]!;
      const preparing = prepare?.();
      if (preparing instanceof Promise) await preparing;
      const start = performance.now();
      const running = run();
      if (running instanceof Promise) await running;
      const us = (performance.now() - start) * 1000 / operations;
      if (round >= 0) times.get(name)!.push(us);
    }
  }
  return new Map([...times].map(([name, samples]) => [name, turnsOf(samples)]));
}

function turnsOf(samples: readonly number[]): Turns {
  const us = medianOf(samples);
  const width = percentileOf(samples, 0.75) - percentileOf(samples, 0.25);
  return { us, spread: us === 0 ? 0 : width / us, samples: samples.length };
}
