import { ConfigReader, show } from "../config.ts";
import type { ManyLoader } from "../manager/cache.ts";

/** How entries are fetched before they are asked for. */
export interface PrefetchOptions {
  /**
   * What the table of successors may take, in bytes or as `"8MB"`.
   *
   * @default {a tenth of the memory tier's limit; where that counts entries, they are taken for 8 KiB each}
   */
  readonly maxBytes?: number | string | undefined;
  /** After which share of its predecessor's visits a key must have followed to be fetched, above 0 and up to 1. @default {0.5} */
  readonly minConfidence?: number | undefined;
  /** The share of fetched entries that must be used for fetching to go on, above 0 and up to 1. @default {0.5} */
  readonly minPrecision?: number | undefined;
  /**
   * Makes what no tier has, where that may be done for keys that nobody has
   * asked for yet: keys of the cache itself, not of its namespaces. They live
   * for {@linkcode CacheManagerOptions.defaultTtl}.
   *
   * @default {none: only slower tiers are read}
   */
  readonly loader?: ManyLoader<unknown> | undefined;
  /** The most keys that the loader is asked for in a minute, saved up for one; 0 for none. @default {60} */
  readonly budget?: number | undefined;
}

/** Options that have been checked. */
export interface ResolvedPrefetchOptions {
  readonly maxBytes: number | undefined;
  readonly minConfidence: number;
  readonly minPrecision: number;
  readonly loader: ManyLoader<unknown> | undefined;
  readonly budget: number;
}

const FIELDS = ["maxBytes", "minConfidence", "minPrecision", "loader", "budget"];
const DEFAULT_BUDGET = 60;

const SUBJECT = "Cannot open cache: 'prefetch'";

/**
 * Checks the option `prefetch`.
 *
 * @returns `undefined` when it is off.
 * @throws {TypeError} for a wrong type or an unknown field.
 * @throws {RangeError} for a number out of range.
 */
export function resolvePrefetchOptions(option: unknown): ResolvedPrefetchOptions | undefined {
  if (option === undefined || option === false) return undefined;
  const config = option === true ? {} : option;
  const reader = new ConfigReader(SUBJECT, config, FIELDS);
  const loader = reader.function<ManyLoader<unknown>>("loader");
  const budget = reader.integer("budget", { min: 0 });
  if (budget !== undefined && loader === undefined) {
    throw new TypeError(`${SUBJECT}: 'budget' is that of a 'loader': give one`);
  }
  return {
    maxBytes: reader.bytes("maxBytes"),
    minConfidence: share(reader, "minConfidence") ?? 0.5,
    minPrecision: share(reader, "minPrecision") ?? 0.5,
    loader,
    budget: budget ?? DEFAULT_BUDGET,
  };
}

function share(reader: ConfigReader, field: string): number | undefined {
  const value = reader.raw(field);
  if (value === undefined) return undefined;
  const message = `${SUBJECT}: '${field}' must be a number above 0 and up to 1: current value is ${
    show(value)
  }`;
  if (typeof value !== "number") throw new TypeError(message);
  if (!(value > 0 && value <= 1)) throw new RangeError(message);
  return value;
}
