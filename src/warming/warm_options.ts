import { ConfigReader, parseDuration, show } from "../config.ts";
import type { Cache, Duration } from "../manager/cache.ts";
import type { OperationOptions } from "../types.ts";

/** What a source may give: a key, or an object that has one, with a value that is ready or with whatever the loader needs. */
export type WarmItem = string | WarmEntry;

/** A key and what is known of it. */
export interface WarmEntry {
  /** The key. */
  readonly key: string;
  /** The value, where it is there already; the loader is not asked then. */
  readonly value?: unknown;
  /** How long such a value lives. @default {WarmOptions.ttl} */
  readonly ttl?: Duration | undefined;
  /** The tags of such a value. @default {WarmOptions.tags} */
  readonly tags?: readonly string[] | undefined;
}

/** The keys of a slower tier. */
export interface WarmPattern {
  /** Which keys of this namespace, as {@linkcode compileGlob} reads it; `"*"` for all. */
  readonly pattern: string;
  /** The name of the tier. @default {the slowest that can list its keys} */
  readonly tier?: string | undefined;
}

/** The entries of another cache, with their tags and the time that they have left. */
export interface WarmCache {
  /** A cache or namespace of this library. */
  readonly cache: Cache;
  /** Which of its keys. @default {"*"} */
  readonly pattern?: string | undefined;
}

/** The keys that a snapshot has of this namespace, and their values where memory is the only tier. */
export interface WarmSnapshot {
  /** The path of the file, see {@linkcode SnapshotOptions}. */
  readonly snapshot: string;
}

/** Where {@linkcode Cache.warm} gets its keys. */
export type WarmSource<I extends WarmItem = WarmItem> =
  | Iterable<I>
  | AsyncIterable<I>
  | WarmPattern
  | WarmCache
  | WarmSnapshot
  | Cache;

/** What the loader of {@linkcode Cache.warm} is told. */
export interface WarmLoadContext<I extends WarmItem> {
  /** Aborted when the values are not wanted any more. */
  readonly signal: AbortSignal;
  /** What the source gave for each of the keys. */
  readonly items: readonly I[];
}

/** Makes the values of keys that no tier has, in their order; `undefined` for a key that has none. */
export type WarmLoader<I extends WarmItem> = (
  missing: string[],
  context: WarmLoadContext<I>,
) => readonly unknown[] | Promise<readonly unknown[]>;

/** Options of {@linkcode Cache.warm}. */
export interface WarmOptions<I extends WarmItem = WarmItem> extends OperationOptions {
  /** Makes what no tier has. A key that somebody else is loading is waited for instead. @default none: such keys are missing */
  readonly loader?: WarmLoader<I> | undefined;
  /** How long values live that the loader makes. @default {CacheManagerOptions.defaultTtl} */
  readonly ttl?: Duration | undefined;
  /** Their tags. @default {[]} */
  readonly tags?: readonly string[] | undefined;
  /** The most keys in one batch, from 1 on. @default {100} */
  readonly batchSize?: number | undefined;
  /** Batches under way at once, from 1 on. @default {2} */
  readonly concurrency?: number | undefined;
  /** The most keys a second, above 0. @default {no limit} */
  readonly rateLimit?: number | undefined;
  /** The most keys that are looked at; 0 for none. @default {Infinity} */
  readonly maxKeys?: number | undefined;
  /** The most keys that the loader is asked for; 0 for none. @default {Infinity} */
  readonly maxLoads?: number | undefined;
  /** Higher ones first: a list is sorted as a whole, what comes bit by bit in pieces of 1,000. @default {as they come} */
  readonly priority?: ((item: I) => number) | undefined;
  /**
   * Leaves out so many of the source's items, as an earlier report or progress
   * said in `cursor`. Of a tier or cache, whose keys come in no order, nothing
   * is left out: what is there already costs no more than a look.
   *
   * @default {0}
   */
  readonly resumeFrom?: number | undefined;
  /** Told after each batch; must not be slow. */
  readonly onProgress?: ((progress: WarmProgress) => void) | undefined;
}

/** What warming has done with the keys. Each of `done` is counted in exactly one of the others. */
export interface WarmCounts {
  /** Keys that were looked at. */
  readonly done: number;
  /** Are in the fastest tier now: read from slower tiers, loaded, or ready in the source. */
  readonly warmed: number;
  /** Of these, made by the loader. */
  readonly loaded: number;
  /** Were in the fastest tier before. */
  readonly alreadyThere: number;
  /** No tier has them, nor the source or loader a value. */
  readonly missing: number;
  /** Were not taken: too large for the tier, or written by somebody else meanwhile. */
  readonly declined: number;
  /** Their loader failed, or their value cannot be stored. */
  readonly failed: number;
}

/** How far warming is. */
export interface WarmProgress extends WarmCounts {
  /** Keys that there are in all, where the source tells. */
  readonly total: number | undefined;
  /** Keys a second so far. */
  readonly rate: number;
  /** Seconds that it will take from now on, where the total is known. */
  readonly secondsLeft: number | undefined;
  /** What {@linkcode WarmOptions.resumeFrom} takes to go on from here. */
  readonly cursor: number;
}

/**
 * Why warming ended. `done`: the source did. `full`: a tier has no room left
 * that is not taken by entries in use. `budget`: `maxKeys`. `source-failed`:
 * the source threw. `loader-failed`: the loader did, for several batches on
 * end. `aborted`: the signal. `closed`: the cache.
 */
export type WarmEnd =
  | "done"
  | "full"
  | "budget"
  | "source-failed"
  | "loader-failed"
  | "aborted"
  | "closed";

/** What {@linkcode Cache.warm} has done. */
export interface WarmReport extends WarmCounts {
  /** Why it ended. */
  readonly stopped: WarmEnd;
  /** The tier that is full. */
  readonly fullTier: string | undefined;
  /** What the source, or the loader last, failed with. */
  readonly error: unknown;
  /** How long it took, in seconds. */
  readonly seconds: number;
  /** What {@linkcode WarmOptions.resumeFrom} takes to go on from here. */
  readonly cursor: number;
}

/** Options that have been checked. */
export interface ResolvedWarmOptions<I extends WarmItem> {
  readonly loader: WarmLoader<I> | undefined;
  readonly batchSize: number;
  readonly concurrency: number;
  readonly rateLimit: number;
  readonly maxKeys: number;
  readonly maxLoads: number;
  readonly priority: ((item: I) => number) | undefined;
  readonly resumeFrom: number;
  readonly onProgress: ((progress: WarmProgress) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

const SUBJECT = "Cannot warm";
const DEFAULT_BATCH = 100;
const DEFAULT_CONCURRENCY = 2;

const FIELDS = [
  "loader",
  "ttl",
  "tags",
  "batchSize",
  "concurrency",
  "rateLimit",
  "maxKeys",
  "maxLoads",
  "priority",
  "resumeFrom",
  "onProgress",
  "signal",
];

/**
 * Checks the options of {@linkcode Cache.warm}.
 *
 * @throws {TypeError} for a wrong type or an unknown field.
 * @throws {RangeError} for a number out of range.
 */
export function resolveWarmOptions<I extends WarmItem>(
  options: WarmOptions<I>,
): ResolvedWarmOptions<I> {
  const reader = new ConfigReader(SUBJECT, options, FIELDS);
  if (options.ttl !== undefined) parseDuration(options.ttl, `${SUBJECT}: 'ttl'`);
  return {
    loader: reader.function<WarmLoader<I>>("loader"),
    batchSize: reader.integer("batchSize", { min: 1 }) ?? DEFAULT_BATCH,
    concurrency: reader.integer("concurrency", { min: 1 }) ?? DEFAULT_CONCURRENCY,
    rateLimit: positive(options.rateLimit) ?? Infinity,
    maxKeys: count(reader, "maxKeys") ?? Infinity,
    maxLoads: count(reader, "maxLoads") ?? Infinity,
    priority: reader.function<(item: I) => number>("priority"),
    resumeFrom: reader.integer("resumeFrom", { min: 0 }) ?? 0,
    onProgress: reader.function<(progress: WarmProgress) => void>("onProgress"),
    signal: options.signal,
  };
}

/** A whole number from 0 on, or `Infinity`. */
function count(reader: ConfigReader, field: string): number | undefined {
  return reader.raw(field) === Infinity ? Infinity : reader.integer(field, { min: 0 });
}

function positive(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const message =
    `${SUBJECT}: 'rateLimit' must be a positive number of keys a second: current value is ${
      show(value)
    }`;
  if (typeof value !== "number") throw new TypeError(message);
  if (!(value > 0)) throw new RangeError(message);
  return value;
}
