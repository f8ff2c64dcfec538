import type { CacheCore } from "../manager/scoped_cache.ts";
import type { EventHub } from "../observability/events.ts";
import { Rooms } from "./rooms.ts";
import type { SnapshotFiles } from "./snapshot_files.ts";
import type { ResolvedSnapshotOptions } from "./snapshot_options.ts";
import { Snapshots } from "./snapshots.ts";
import { WarmBatch } from "./warm_batch.ts";
import type { WantedKey } from "./warm_keys.ts";
import { resolveWarmOptions, type WarmReport } from "./warm_options.ts";
import { Warmer } from "./warmer.ts";

/** Makes what keeps snapshots of a cache, and brings back the last one. */
export async function openSnapshots(
  options: ResolvedSnapshotOptions,
  files: SnapshotFiles,
  core: CacheCore,
  { events, random, isAlone }: {
    readonly events: EventHub;
    readonly random: () => number;
    readonly isAlone: boolean;
  },
): Promise<Snapshots> {
  const { stack } = core;
  const snapshots = new Snapshots({
    options,
    files,
    stack,
    events,
    random,
    isAlone,
    warmKeys: (keys) => warmKeys(keys, core),
  });
  await snapshots.open();
  return snapshots;
}

/** Brings in keys, as the tiers know them, that were in use: they need not prove themselves again. */
async function warmKeys(
  keys: readonly string[],
  { stack, loads, closing }: CacheCore,
): Promise<WarmReport> {
  const rooms = new Rooms(stack.fills.tiers);
  const warmer = new Warmer<string>({
    options: resolveWarmOptions<string>({}),
    keys: wanted(keys),
    total: keys.length,
    skipped: 0,
    batch: new WarmBatch<string>({
      stack,
      loads,
      rooms,
      readReady: undefined,
      loader: undefined,
      storage: { ttl: Infinity, tags: [] },
      maxLoads: 0,
      placement: {},
    }),
    rooms,
    clock: stack.clock,
    closing,
  });
  return await warmer.run();
}

async function* wanted(keys: readonly string[]): AsyncGenerator<WantedKey<string>> {
  for (const key of keys) yield { item: key, given: key, stored: key };
}
