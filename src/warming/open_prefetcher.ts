import type { Tier } from "../manager/tier.ts";
import type { Fills } from "./fills.ts";
import type { ResolvedPrefetchOptions } from "./prefetch_options.ts";
import { Prefetcher } from "./prefetcher.ts";

/** The table's share of the memory tier's limit. */
const TABLE_SHARE = 0.1;

/** Of a tier that limits the number of its entries: a vector of 1536 floats and what is around it. */
const ASSUMED_ENTRY_BYTES = 8192;

/** Of a tier that tells no limit. */
const DEFAULT_TABLE_BYTES = 1024 * 1024;

/**
 * Makes the prefetcher of a cache; `undefined` where it is off, or memory is
 * not the first of several tiers, and so there is nothing to fetch ahead.
 */
export async function openPrefetcher(
  options: ResolvedPrefetchOptions | undefined,
  tiers: readonly Tier[],
  fills: Fills,
): Promise<Prefetcher | undefined> {
  const [memory] = tiers;
  if (options === undefined || memory === undefined || !memory.isInProcess || tiers.length < 2) {
    return undefined;
  }
  const { maxBytes, maxEntries } = await memory.getStats(true);
  const tierBytes = maxBytes ?? (maxEntries && maxEntries * ASSUMED_ENTRY_BYTES);
  return new Prefetcher({
    ...options,
    maxBytes: options.maxBytes ?? (tierBytes ? tierBytes * TABLE_SHARE : DEFAULT_TABLE_BYTES),
    holds: (key) => fills.holds(key),
    fill: (keys, signal) => fills.fill(keys, { signal }),
    countEntries: async () => (await memory.getStats(true)).entries ?? 0,
  });
}
