import process from "node:process";
import { medianOf } from "../demo/percentiles.ts";

/** Microseconds. */
export interface Timing {
  /** By the clock on the wall. */
  readonly us: number;
  /** That the process, with all its threads, kept cores busy: it hardly depends on what else runs. */
  readonly cpuUs: number;
}

/**
 * Times a run.
 *
 * @param collects whether garbage is collected before, where the runtime lets one.
 */
export async function timed(
  run: () => Promise<unknown>,
  collects: boolean = true,
): Promise<Timing> {
  if (collects) (globalThis as { gc?: () => void }).gc?.();
  const cpu = process.cpuUsage();
  const began = performance.now();
  await run();
  const us = (performance.now() - began) * 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { us, cpuUs: user + system };
}

/** Changes both figures. */
export function mapTiming(timing: Timing, change: (us: number) => number): Timing {
  return { us: change(timing.us), cpuUs: change(timing.cpuUs) };
}

/** The median of each figure. */
export function medianTiming(timings: readonly Timing[]): Timing {
  return {
    us: medianOf(timings.map(({ us }) => us)),
    cpuUs: medianOf(timings.map(({ cpuUs }) => cpuUs)),
  };
}
