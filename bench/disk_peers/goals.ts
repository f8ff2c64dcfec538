import type { EngineFigures } from "./engine.ts";
import type { Figures, Operation } from "./measure.ts";
import type { Timing } from "./timing.ts";

/** A figure beside what it should be. */
export interface Goal {
  readonly text: string;
  readonly value: number;
  readonly unit: string;
  readonly isMet: boolean;
}

/** Level means no slower than this, by which runs of the same code differ. */
const LEVEL = 1.1;

/**
 * Compares what was measured with the goals.
 *
 * @param medians peers that did not run are not in it, and have no goals.
 * @param field which time counts.
 */
export function compareWithGoals(
  medians: ReadonlyMap<string, Figures>,
  engine: EngineFigures,
  field: keyof Timing,
): Goal[] {
  const goals: Goal[] = [];
  const of = (name: string, operation: Operation): number =>
    medians.get(name)?.[operation]?.[field] ?? NaN;
  const backend = "Strata: FilesystemBackend";
  const floor = "floor, synchronous";
  const atMost = (text: string, limit: number, value: number, unit: string): void => {
    if (!Number.isNaN(value)) goals.push({ text, value, unit, isMet: value <= limit });
  };
  const atLeast = (text: string, limit: number, value: number): void => {
    if (!Number.isNaN(value)) goals.push({ text, value, unit: "x", isMet: value >= limit });
  };
  const overFloor = (name: string, operation: Operation): number =>
    of(name, operation) / of(floor, operation);
  const ahead = (name: string, operation: Operation): number =>
    of(name, operation) / of(backend, operation);

  atMost("get, SegmentLog: <= 2 x floor", 2, overFloor("Strata: SegmentLog", "get"), "x");
  atMost("get, FilesystemBackend: <= 2 x floor", 2, overFloor(backend, "get"), "x");
  const miss = "Strata: CacheManager, memory miss";
  atMost("get, CacheManager, memory miss: <= 3 x floor", 3, overFloor(miss, "get"), "x");
  atMost("set, SegmentLog: <= 2 x floor", 2, overFloor("Strata: SegmentLog", "set"), "x");
  atMost("set, FilesystemBackend: <= 2 x floor", 2, overFloor(backend, "set"), "x");
  for (const name of ["unstorage fs", "BentoCache file", "cacache"]) {
    for (const operation of ["set", "get", "get64"] as const) {
      atLeast(`${operation}: >= 10 x faster than ${name}`, 10, ahead(name, operation));
    }
  }
  for (const operation of ["set", "get"] as const) {
    atLeast(`${operation}: >= 2 x faster than node:sqlite`, 2, ahead("node:sqlite", operation));
  }
  atLeast("set: ahead of lmdb, > 1 x as fast", 1, ahead("lmdb", "set"));
  atLeast("get: level with lmdb, >= 0.91 x as fast", 1 / LEVEL, ahead("lmdb", "get"));
  atMost("open of a SegmentLog: <= 50 ms", 50, engine.openLog[field] / 1000, "ms");
  atMost("open of a FilesystemBackend: <= 50 ms", 50, engine.openBackend[field] / 1000, "ms");
  atMost("eviction of what was not read: <= 1 us an entry", 1, engine.evict.each[field], "us");
  return goals;
}
