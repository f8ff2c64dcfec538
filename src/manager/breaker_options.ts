import { ConfigReader, show } from "../config.ts";
import type { Duration } from "./cache.ts";

/** When a tier counts as down, and how it is tried again. */
export interface BreakerConfig {
  /** The share of failed calls, above 0 and up to 1, at which the tier counts as down. @default {0.5} */
  readonly errorRate?: number | undefined;
  /** The fewest calls within the window that say anything about the tier. @default {10} */
  readonly minCalls?: number | undefined;
  /** How far back calls count. @default {10} */
  readonly window?: Duration | undefined;
  /** Calls in a row that ran into their deadline while the tier answered nothing at all: so many will do by themselves. @default {2} */
  readonly timeouts?: number | undefined;
  /** The wait before the first probe; each one that fails doubles it. @default {"250ms"} */
  readonly minPause?: Duration | undefined;
  /** The longest wait between two probes. @default {1} */
  readonly maxPause?: Duration | undefined;
  /** How long a probe may take; never longer than the tier's deadline. @default {1} */
  readonly probeDeadline?: Duration | undefined;
}

/** A {@linkcode BreakerConfig} that has been checked; times in milliseconds. */
export interface BreakerOptions {
  readonly errorRate: number;
  readonly minCalls: number;
  readonly window: number;
  readonly timeouts: number;
  readonly minPause: number;
  readonly maxPause: number;
  readonly probeDeadline: number;
}

const FIELDS: readonly (keyof BreakerConfig)[] = [
  "errorRate",
  "minCalls",
  "window",
  "timeouts",
  "minPause",
  "maxPause",
  "probeDeadline",
];

/** What holds where a tier's config does not say. */
export const DEFAULT_BREAKER: BreakerOptions = Object.freeze({
  errorRate: 0.5,
  minCalls: 10,
  window: 10_000,
  timeouts: 2,
  minPause: 250,
  maxPause: 1000,
  probeDeadline: 1000,
});

/**
 * Checks the config of a breaker.
 *
 * @param subject begins the message of an error.
 * @param config what the tier's `breaker` says.
 * @returns `false` for none.
 * @throws {TypeError} for a wrong type or an unknown field.
 * @throws {RangeError} for a number out of range.
 */
export function readBreaker(subject: string, config: unknown): BreakerOptions | false {
  if (config === undefined) return DEFAULT_BREAKER;
  if (config === false) return false;
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new TypeError(
      `${subject}: 'breaker' must be an object or false: current value is ${show(config)}`,
    );
  }
  const inside = `${subject}: 'breaker'`;
  const reader = new ConfigReader(inside, config, FIELDS);
  const errorRate = reader.raw("errorRate") ?? DEFAULT_BREAKER.errorRate;
  if (typeof errorRate !== "number") {
    throw new TypeError(
      `${inside}: 'errorRate' must be a number: current value is ${show(errorRate)}`,
    );
  }
  if (!(errorRate > 0 && errorRate <= 1)) {
    throw new RangeError(
      `${inside}: 'errorRate' must be above 0 and at most 1: current value is ${show(errorRate)}`,
    );
  }
  const minPause = reader.duration("minPause") ?? DEFAULT_BREAKER.minPause;
  return {
    errorRate,
    minCalls: reader.integer("minCalls", { min: 1 }) ?? DEFAULT_BREAKER.minCalls,
    window: reader.duration("window") ?? DEFAULT_BREAKER.window,
    timeouts: reader.integer("timeouts", { min: 1 }) ?? DEFAULT_BREAKER.timeouts,
    minPause,
    maxPause: reader.duration("maxPause") ?? Math.max(minPause, DEFAULT_BREAKER.maxPause),
    probeDeadline: reader.duration("probeDeadline") ?? DEFAULT_BREAKER.probeDeadline,
  };
}
