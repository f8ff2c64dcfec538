import process from "node:process";
import { percentileOf } from "./percentiles.ts";

/** What single reads took, in microseconds. */
export interface Latency {
  readonly reads: number;
  readonly median: number;
  readonly p99: number;
}

/** Times the reading of each text by itself, one after another. */
export async function measureLatency(
  texts: readonly string[],
  read: (text: string) => Promise<unknown>,
): Promise<Latency> {
  const microseconds: number[] = [];
  for (const text of texts) {
    const start = process.hrtime.bigint();
    await read(text);
    microseconds.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  return {
    reads: microseconds.length,
    median: percentileOf(microseconds, 0.5),
    p99: percentileOf(microseconds, 0.99),
  };
}

/** Microseconds in the unit that suits them. */
export function showTime(microseconds: number): string {
  if (microseconds >= 1000) return `${(microseconds / 1000).toFixed(1)} ms`;
  return `${microseconds.toFixed(microseconds < 10 ? 2 : 0)} µs`;
}
