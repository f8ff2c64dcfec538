import type { Loads } from "../manager/loads.ts";
import { Scope } from "../manager/scope.ts";
import type { TierStack } from "../manager/tier_stack.ts";
import type { EventHub } from "../observability/events.ts";
import type { CacheBackend } from "../types.ts";
import { LoadBudget } from "./load_budget.ts";
import type { ResolvedPrefetchOptions } from "./prefetch_options.ts";
import { Prefetcher, type PrefetcherParts } from "./prefetcher.ts";

/** The table's share of the memory tier's limit. */
const TABLE_SHARE = 0.1;

/** Of a tier that limits the number of its entries: a vector of 1536 floats and what is around it. */
const ASSUMED_ENTRY_BYTES = 8192;

/** Of a tier that tells no limit. */
const DEFAULT_TABLE_BYTES = 1024 * 1024;

/** What a prefetcher is made of. */
export interface OpenPrefetcherParts {
  readonly stack: TierStack;
  readonly loads: Loads;
  readonly events: EventHub;
  /** How long loaded values live, in milliseconds. */
  readonly defaultTtl: number;
}

/**
 * Refuses to fetch ahead where there is nothing to fetch into or from.
 *
 * @throws {TypeError} when memory is not the first tier, or neither a slower one nor a loader is there.
 */
export function assertPrefetchable(
  options: ResolvedPrefetchOptions | undefined,
  backends: readonly CacheBackend[],
): void {
  if (options === undefined) return;
  if (backends[0]!.getSync === undefined) {
    throw new TypeError(
      `Cannot open cache: 'prefetch' needs memory as the first tier: it is "${backends[0]!.name}"`,
    );
  }
  if (backends.length < 2 && options.loader === undefined) {
    throw new TypeError(
      "Cannot open cache: 'prefetch' needs a slower tier behind memory, or a 'loader'",
    );
  }
}

/** Makes the prefetcher of a cache; `undefined` where it is off. */
export async function openPrefetcher(
  options: ResolvedPrefetchOptions | undefined,
  parts: OpenPrefetcherParts,
): Promise<Prefetcher | undefined> {
  if (options === undefined) return undefined;
  const { stack: { fills }, events } = parts;
  const memory = fills.tiers[0]!;
  const { maxBytes, maxEntries } = await memory.getStats(true);
  const tierBytes = maxBytes ?? (maxEntries && maxEntries * ASSUMED_ENTRY_BYTES);
  return new Prefetcher({
    ...options,
    maxBytes: options.maxBytes ?? (tierBytes ? tierBytes * TABLE_SHARE : DEFAULT_TABLE_BYTES),
    holds: (key) => fills.holds(key),
    fill: (keys, signal) => fills.fill(keys, { signal }),
    load: loadOf(options, parts),
    countEntries: async () => (await memory.getStats(true)).entries ?? 0,
    changed: (change) => events.emit("prefetch", change),
  });
}

/** Asks the loader for as many keys as the budget allows. */
function loadOf(
  { loader, budget }: ResolvedPrefetchOptions,
  { stack, loads, defaultTtl }: OpenPrefetcherParts,
): PrefetcherParts["load"] {
  if (loader === undefined) return undefined;
  const left = new LoadBudget(budget, stack.clock);
  return async (keys, signal) => {
    const own = keys.flatMap((stored) => {
      const given = Scope.root.given(stored);
      return given === undefined ? [] : [{ stored, given }];
    });
    const asked = own.slice(0, left.take(own.length));
    if (asked.length === 0) return [];
    const storage = { ttl: defaultTtl, tags: [], placement: { probation: true } };
    const values = await loads.loadMany(asked, loader, storage, signal);
    return asked.map(({ stored }) => stored).filter((key) => values.get(key) !== undefined);
  };
}
