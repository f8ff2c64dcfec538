import { parseDuration, show } from "../config.ts";
import type { LoadOptions } from "./cache.ts";

/** How long who asks waits for a loader, and what it gets instead; times in milliseconds. */
export interface LoadPolicy {
  readonly softTimeout: number;
  readonly hardTimeout: number;
  readonly staleFor: number;
  /** The share of its lifetime after which a value is loaded again ahead of time; `Infinity` for never. */
  readonly refreshAhead: number;
  /** How long a `null` lives; `undefined` for as long as other values. */
  readonly negativeTtl: number | undefined;
}

/**
 * Reads what options say of waiting, `undefined` where they say nothing.
 *
 * @throws {TypeError} for a wrong type.
 * @throws {RangeError} for a value out of range, or a soft timeout that is not below the hard one.
 */
export function readLoadPolicy(options: LoadOptions): LoadPolicy | undefined {
  const { softTimeout, hardTimeout, staleFor, refreshAhead, negativeTtl } = options;
  if (
    softTimeout === undefined && hardTimeout === undefined && staleFor === undefined &&
    refreshAhead === undefined && negativeTtl === undefined
  ) return undefined;
  if (refreshAhead !== undefined && typeof refreshAhead !== "number") {
    throw new TypeError(
      `Cannot load: 'refreshAhead' must be a number: current value is ${show(refreshAhead)}`,
    );
  }
  if (refreshAhead !== undefined && !(refreshAhead > 0 && refreshAhead < 1)) {
    throw new RangeError(
      `Cannot load: 'refreshAhead' must be between 0 and 1: current value is ${refreshAhead}`,
    );
  }
  const policy = {
    softTimeout: duration("softTimeout", softTimeout) ?? 0,
    hardTimeout: duration("hardTimeout", hardTimeout) ?? Infinity,
    staleFor: duration("staleFor", staleFor) ?? 0,
    refreshAhead: refreshAhead ?? Infinity,
    negativeTtl: duration("negativeTtl", negativeTtl),
  };
  if (policy.softTimeout >= policy.hardTimeout) {
    throw new RangeError(
      `Cannot load: 'softTimeout' must be below 'hardTimeout': current values are ${
        show(softTimeout)
      } and ${show(hardTimeout)}`,
    );
  }
  return policy;
}

function duration(name: string, value: unknown): number | undefined {
  return value === undefined ? undefined : parseDuration(value, `Cannot load: '${name}'`);
}
