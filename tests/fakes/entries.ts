import { CacheEntry } from "../../src/entry/entry.ts";
import type { WriteFormat } from "../../src/entry/content.ts";
import { structuredSerializer } from "../../src/serializers/structured.ts";
import type { Clock } from "../../src/types.ts";

const FORMAT: WriteFormat = {
  serializer: structuredSerializer,
  codec: undefined,
  compressionMinBytes: 0,
};

/** Options of {@linkcode entryOf}. */
export interface EntryOptions {
  /** Tells the time of creation. @default a clock that stands at 1,700,000,000,000 */
  readonly clock?: Clock;
  /** Milliseconds from now until it is a miss. @default Infinity */
  readonly ttlMs?: number;
  /** Milliseconds after that in which it may be served stale. @default 0 */
  readonly staleMs?: number;
  /** @default 1 */
  readonly version?: number;
  /** @default none */
  readonly tags?: readonly string[];
}

/** An entry of a live value, as the manager makes them. */
export function entryOf(key: string, value: unknown, options: EntryOptions = {}): CacheEntry {
  const { clock, ttlMs = Infinity, staleMs = 0, version = 1, tags = [] } = options;
  const createdAt = clock?.now() ?? 1_700_000_000_000;
  const expiresAt = createdAt + ttlMs;
  return CacheEntry.of(
    key,
    value,
    { createdAt, expiresAt, staleUntil: expiresAt + staleMs, version, tags },
    FORMAT,
  );
}
