import { ConfigReader } from "../config.ts";
import type { Duration } from "../manager/cache.ts";

/** How the hot keys are kept for the next start. */
export interface SnapshotOptions {
  /** The file, of one cache at a time; its folder is made. */
  readonly path: string;
  /** The time between two snapshots; one more is made on close. `Infinity` for that one only. @default {300} */
  readonly interval?: Duration | undefined;
  /**
   * Whether values are kept too, where memory is the only tier and there is no
   * bus: with slower tiers they are read from those, who know what has been
   * deleted or written by others meanwhile. What changes after a snapshot is
   * noted beside it, so that nothing older comes back, also after a kill; after
   * a power failure the last notes may be missing.
   *
   * @default {true}
   */
  readonly values?: boolean | undefined;
  /** The most keys; of more, those that came in last. @default {1_000_000} */
  readonly maxKeys?: number | undefined;
  /**
   * When keys are brought back whose values are in slower tiers: after the cache
   * has opened, or before; `false` for not at all. Values in the snapshot are
   * always brought back before.
   *
   * @default {"background"}
   */
  readonly restore?: "background" | "await" | false | undefined;
}

/** Options that have been checked. */
export interface ResolvedSnapshotOptions {
  readonly path: string;
  readonly interval: number;
  readonly values: boolean;
  readonly maxKeys: number;
  readonly restore: "background" | "await" | false;
}

const SUBJECT = "Cannot open cache: 'snapshot'";
const RESTORES = ["background", "await"] as const;
const DEFAULT_INTERVAL_MS = 300_000;
const DEFAULT_MAX_KEYS = 1_000_000;

/**
 * Checks the option `snapshot`.
 *
 * @returns `undefined` when it is off.
 * @throws {TypeError} for a wrong type or an unknown field.
 * @throws {RangeError} for a number out of range.
 */
export function resolveSnapshotOptions(option: unknown): ResolvedSnapshotOptions | undefined {
  if (option === undefined || option === false) return undefined;
  const fields = ["path", "interval", "values", "maxKeys", "restore"];
  const reader = new ConfigReader(SUBJECT, option, fields);
  const path = reader.string("path");
  if (path === undefined || path === "") {
    throw new TypeError(`${SUBJECT}: 'path' must be the path of a file`);
  }
  const isOff = reader.raw("restore") === false;
  return {
    path,
    interval: reader.duration("interval") ?? DEFAULT_INTERVAL_MS,
    values: reader.boolean("values") ?? true,
    maxKeys: reader.integer("maxKeys", { min: 0 }) ?? DEFAULT_MAX_KEYS,
    restore: isOff ? false : reader.oneOf("restore", RESTORES) ?? "background",
  };
}
