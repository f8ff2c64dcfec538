import type { BackendStats } from "../../src/types.ts";

const FIELDS = [
  "entries",
  "bytes",
  "maxBytes",
  "maxEntries",
  "evictions",
  "expirations",
  "corruptions",
] as const;

/** Adds up what shards report; a field is absent where one of them cannot tell it. */
export function sumOfStats(all: readonly BackendStats[]): BackendStats {
  const sum: { -readonly [field in keyof BackendStats]: BackendStats[field] } = {};
  for (const field of FIELDS) {
    const values = all.map((stats) => stats[field]);
    if (values.every((value) => value !== undefined)) {
      sum[field] = values.reduce((total, value) => total + value, 0);
    }
  }
  return sum;
}
