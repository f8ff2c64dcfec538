import type { WriteFormat } from "../entry/content.ts";
import { copyBinary, isBinary } from "../entry/dtype.ts";
import { CacheEntry } from "../entry/entry.ts";

/** One value to be written. */
export interface Write {
  /** As the tiers know it. */
  readonly key: string;
  /** Anything but `undefined`. */
  readonly value: unknown;
  /** How long it lives, in milliseconds. */
  readonly ttl: number;
  /** As the tiers know them. */
  readonly tags: readonly string[];
  /** What it costs to get the value again. */
  readonly cost?: number | undefined;
  /** When what is written was begun to be made; a stamp of {@linkcode TierStack.stamp}. */
  readonly version: number;
}

/**
 * The entry of a write that is made now.
 *
 * @throws {TypeError} for a value that no format carries.
 */
export function entryOf(
  { key, value, ttl, tags, cost, version }: Write,
  createdAt: number,
  format: WriteFormat,
): CacheEntry {
  assertStorable(value);
  const expiresAt = createdAt + ttl;
  // Binary values are copied: callers reuse buffers, and a small view would keep a large one alive.
  return CacheEntry.of(
    key,
    isBinary(value) ? copyBinary(value) : value,
    { createdAt, expiresAt, staleUntil: expiresAt, version, tags, cost },
    format,
  );
}

/** Refuses what no format carries, also where memory is the only tier. */
function assertStorable(value: unknown): void {
  const reason = value === undefined
    ? "value is undefined, which means a miss: store null instead"
    : typeof value === "function" || typeof value === "symbol"
    ? `value is a ${typeof value}`
    : typeof (value as { then?: unknown } | null)?.then === "function"
    ? "value is a promise: await it first"
    : undefined;
  if (reason !== undefined) throw new TypeError(`Cannot set: ${reason}`);
}
