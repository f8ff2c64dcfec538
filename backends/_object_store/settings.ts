import type { ConfigReader } from "../../src/config.ts";
import { ObjectNames } from "./object_names.ts";

/** Config that all object stores share. */
export interface ObjectStoreConfig {
  /** Names the tier in statistics, events and errors. @default the type */
  readonly name?: string;
  /** Keeps apart caches that share a bucket: a path such as `app/cache`. @default "strata" */
  readonly prefix?: string;
  /**
   * Spreads the names over so many prefixes, 2 to 256, for stores that limit
   * requests by prefix. A pattern is then listed once for each. It must never
   * change for a prefix that is in use.
   *
   * @default none
   */
  readonly hashShards?: number;
  /** Requests under way at once; others wait. @default 64 */
  readonly maxRequests?: number;
  /** Attempts for a request that fails in a way that another may not, the first included. @default 4 */
  readonly maxAttempts?: number;
  /** Seconds, or a string such as `"10s"`, after which an attempt is given up. @default 30 */
  readonly requestTimeout?: number | string;
  /**
   * How long after its end an entry is kept, which nobody reads any more: for
   * readers whose clocks are behind. Seconds, or a string.
   *
   * @default none
   */
  readonly expiryGrace?: number | string;
  /**
   * Whether the store honours conditions on writes, which locks and versioned
   * writes need. Not given, that is found out when it is first needed, by
   * writing small objects under the prefix.
   */
  readonly conditionalWrites?: boolean;
}

/** The fields of {@linkcode ObjectStoreConfig}. */
export const OBJECT_STORE_FIELDS = [
  "type",
  "name",
  "prefix",
  "hashShards",
  "maxRequests",
  "maxAttempts",
  "requestTimeout",
  "expiryGrace",
  "conditionalWrites",
] as const;

/** A config that has been checked. */
export interface ObjectStoreSettings {
  /** Names the tier. */
  readonly name: string;
  /** Names of objects. */
  readonly names: ObjectNames;
  /** Requests at once. */
  readonly maxRequests: number;
  /** Attempts of a request. */
  readonly maxAttempts: number;
  /** Milliseconds of an attempt. */
  readonly requestTimeout: number;
  /** Milliseconds that an entry is kept after its end. */
  readonly expiryGrace: number;
  /** Whether there are conditions; `undefined` for not known. */
  readonly conditionalWrites: boolean | undefined;
}

const DEFAULT_MAX_REQUESTS = 64;
const DEFAULT_MAX_ATTEMPTS = 4;
const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;

/** Checks what all object stores share. */
export function readObjectStoreSettings(
  reader: ConfigReader,
  type: string,
  subject: string,
): ObjectStoreSettings {
  const shards = reader.integer("hashShards", { min: 2, max: 256 }) ?? 0;
  return {
    name: reader.string("name") ?? type,
    names: new ObjectNames(reader.string("prefix") ?? "strata", shards, subject),
    maxRequests: reader.integer("maxRequests", { min: 1 }) ?? DEFAULT_MAX_REQUESTS,
    maxAttempts: reader.integer("maxAttempts", { min: 1, max: 20 }) ?? DEFAULT_MAX_ATTEMPTS,
    requestTimeout: reader.duration("requestTimeout") ?? DEFAULT_REQUEST_TIMEOUT_MS,
    expiryGrace: reader.duration("expiryGrace") ?? 0,
    conditionalWrites: reader.boolean("conditionalWrites"),
  };
}
