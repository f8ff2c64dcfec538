import { setImmediate } from "node:timers/promises";
import type { Draws } from "./random.ts";

/** What came of a load. */
export interface LoadResult {
  /** Milliseconds from when each request should have come to when it was answered. */
  readonly latencies: readonly number[];
  /** Requests that were answered with an error. */
  readonly failures: number;
}

/** What a load is. */
export interface Load {
  /** Requests a second. */
  readonly rate: number;
  /** For how many seconds. */
  readonly seconds: number;
  /** Answers one request. */
  readonly request: () => Promise<unknown>;
  /** Called on the way with the share of the time that is over. */
  readonly onTime?: (share: number) => void;
}

/**
 * Sends requests at the times of a Poisson process, whatever has become of the
 * earlier ones, as a crowd of users does. Latency counts from the time at
 * which a request should have come: one that the busy program sent late has
 * waited too (Tene, "How NOT to measure latency", 2015).
 */
export async function runOpenLoop(load: Load, draws: Draws): Promise<LoadResult> {
  const { rate, seconds, request, onTime } = load;
  const latencies: number[] = [];
  let failures = 0;
  const underWay = new Set<Promise<void>>();
  const start = performance.now();
  const end = seconds * 1000;
  let next = draws.exponential(rate) * 1000;
  while (next < end) {
    const now = performance.now() - start;
    onTime?.(now / end);
    for (; next <= now && next < end; next += draws.exponential(rate) * 1000) {
      const intended = next;
      const answered = request()
        .catch(() => failures++)
        .then(() => {
          latencies.push(performance.now() - start - intended);
          underWay.delete(answered);
        });
      underWay.add(answered);
    }
    await setImmediate();
  }
  await Promise.all(underWay);
  return { latencies, failures };
}
