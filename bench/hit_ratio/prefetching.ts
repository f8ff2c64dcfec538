import { type BackendConfig, CacheManager, type EvictionPolicyName } from "../../mod.ts";
import type { CacheEntry } from "../../src/entry/entry.ts";
import { MemoryBackend } from "../../backends/memory.ts";
import type { RequestStream } from "./stream.ts";

/** What fetching ahead has shown. */
export interface Prefetching {
  /** Requests that memory has served without fetching ahead, and with it, in percent. */
  readonly without: number;
  readonly with: number;
  /** Misses that were avoided, as a share of those without it, in percent. */
  readonly avoided: number;
  /** What was fetched ahead and used, as a share of that and what was not, in percent. */
  readonly precision: number;
  /** Reads of the slower tier beyond those without fetching ahead, as a share of these, in percent. */
  readonly extraLoads: number;
}

/** Turns of the microtask queue after which what a request has set off is over. */
const TURNS = 24;

/** Replays a stream over memory and a slower tier that has all of it, without fetching ahead and with it. */
export async function replayPrefetching(
  stream: RequestStream,
  entries: readonly CacheEntry[],
  maxEntries: number,
  evictionPolicy: EvictionPolicyName,
): Promise<Prefetching> {
  const memory = { type: "memory", maxEntries, evictionPolicy };
  const plain = await replay(stream, entries, memory, false);
  const ahead = await replay(stream, entries, memory, true);
  const { length } = stream.requests;
  return {
    without: 100 * (length - plain.misses) / length,
    with: 100 * (length - ahead.misses) / length,
    avoided: 100 * (plain.misses - ahead.misses) / Math.max(1, plain.misses),
    precision: 100 * ahead.precision,
    extraLoads: 100 * (ahead.loads - plain.loads) / Math.max(1, plain.loads),
  };
}

interface Outcome {
  readonly misses: number;
  /** Entries read from the slower tier, for requests and ahead of them. */
  readonly loads: number;
  readonly precision: number;
}

async function replay(
  { requests }: RequestStream,
  entries: readonly CacheEntry[],
  memory: BackendConfig,
  prefetch: boolean,
): Promise<Outcome> {
  const slower = new MemoryBackend({ name: "slower", maxEntries: entries.length });
  await slower.setMany(entries);
  await using cache = await CacheManager.open({
    backends: [memory, slower],
    prefetch,
  });
  for (const key of requests) {
    await cache.get(entries[key]!.key);
    if (prefetch) { for (let turn = 0; turn < TURNS; turn++) await undefined; }
  }
  const { tiers: [first, second], prefetch: stats } = await cache.getStats();
  return { misses: first!.misses, loads: second!.hits, precision: stats?.precision ?? 0 };
}
