import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FilesystemBackend } from "../../backends/filesystem.ts";
import { MemoryBackend } from "../../backends/memory.ts";
import type { EvictionPolicyName } from "../../mod.ts";
import { systemClock } from "../../src/clock.ts";
import { CacheEntry } from "../../src/entry/entry.ts";
import { jsonSerializer } from "../../src/serializers/json.ts";
import { countKeys, type RequestStream } from "./stream.ts";

/** Entries whose bytes are looked at. */
const SAMPLE = 1000;

const FORMAT = { serializer: jsonSerializer, codec: undefined, compressionMinBytes: 0 };

/** What a tier is limited by. */
export type Limit = "entries" | "bytes";

/** What a replay has shown. */
export interface Replay {
  /** Requests that hit, in percent. */
  readonly hitRatio: number;
  /** Time for a request, writes on misses included, in nanoseconds. */
  readonly nanoseconds: number;
}

/** An entry for each key of a stream. */
export function entriesOf({ requests }: RequestStream): CacheEntry[] {
  const createdAt = systemClock.now();
  const metadata = { createdAt, expiresAt: Infinity, staleUntil: Infinity, version: 1, tags: [] };
  return Array.from(
    { length: countKeys(requests) },
    (_, key) => CacheEntry.of(`item:${key}`, key, metadata, FORMAT),
  );
}

/** Asks the memory tier for each key, and stores what it does not have. */
export async function replayInMemory(
  { requests }: RequestStream,
  entries: readonly CacheEntry[],
  maxEntries: number,
  evictionPolicy: EvictionPolicyName,
  limit: Limit = "entries",
): Promise<Replay> {
  const limits = limit === "entries"
    ? { maxEntries }
    : { maxBytes: maxEntries * await bytesOf(entries) };
  const backend = new MemoryBackend({ ...limits, evictionPolicy });
  let hits = 0;
  const started = performance.now();
  for (let at = 0; at < requests.length; at++) {
    const entry = entries[requests[at]!]!;
    if (backend.getSync(entry.key) !== undefined) hits++;
    // It is stored when its promise is there, which need not be waited for.
    else void backend.set(entry.key, entry);
  }
  const nanoseconds = (performance.now() - started) * 1e6 / requests.length;
  await backend.close();
  return { hitRatio: 100 * hits / requests.length, nanoseconds };
}

/** Bytes that an entry takes in memory, in the mean. */
async function bytesOf(entries: readonly CacheEntry[]): Promise<number> {
  const backend = new MemoryBackend({ maxBytes: Infinity });
  const some = entries.slice(-SAMPLE);
  await backend.setMany(some);
  const { bytes } = await backend.getStats();
  await backend.close();
  return bytes! / some.length;
}

/** Asks the filesystem tier for each key, and stores what it does not have. */
export async function replayOnDisk(
  { requests }: RequestStream,
  entries: readonly CacheEntry[],
  maxEntries: number,
  evictionPolicy: EvictionPolicyName,
): Promise<Replay> {
  const basePath = mkdtempSync(join(tmpdir(), "strata-hits-"));
  try {
    const backend = await FilesystemBackend.open(
      { basePath, maxEntries, evictionPolicy },
      { clock: systemClock, report: () => {} },
    );
    let hits = 0;
    const started = performance.now();
    for (const key of requests) {
      const entry = entries[key]!;
      if (await backend.get(entry.key) !== undefined) hits++;
      else await backend.set(entry.key, entry);
    }
    const nanoseconds = (performance.now() - started) * 1e6 / requests.length;
    await backend.close();
    return { hitRatio: 100 * hits / requests.length, nanoseconds };
  } finally {
    rmSync(basePath, { recursive: true, force: true });
  }
}
