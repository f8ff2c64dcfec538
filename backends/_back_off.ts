/** A number from 0 up to, but not including, 1. */
export type Random = () => number;

const FIRST_DELAY_MS = 50;

/** Half of what a store may take to be noticed as back again. */
const MAX_DELAY_MS = 1000;

/**
 * The wait before another attempt: doubled each time, and spread so that
 * processes that lost a server together do not come back together.
 *
 * @param failures how many attempts have failed, from 0.
 * @returns milliseconds.
 */
export function backOff(failures: number, random: Random): number {
  const longest = Math.min(FIRST_DELAY_MS * 2 ** Math.min(failures, 10), MAX_DELAY_MS);
  return Math.round(longest * (0.5 + random() / 2));
}
