import { CacheManager } from "../../mod.ts";
import { andThen, type MaybePromise } from "../../src/maybe_promise.ts";
import { entryOf, openBackend } from "./filesystem_backend.ts";
import type { Item } from "./peer.ts";
import { bodyOf, frameOf, openLog } from "./segment_log.ts";

const MIB = 1024 * 1024;

/** What a store holds. */
export interface Holdings {
  readonly entries: number;
  readonly bytes: number;
  readonly evictions: number;
  /** Bytes of the index, where the engine tells. */
  readonly indexBytes?: number;
  /** Bytes written for each byte put, where the engine tells. */
  readonly writeAmplification?: number;
}

/** A directory with a limit, by one of the ways to it. */
export interface LargeStore {
  set(item: Item): MaybePromise<boolean>;
  get(item: Pick<Item, "key">): MaybePromise<Uint8Array | Float32Array | undefined>;
  flush(): MaybePromise<void>;
  close(): MaybePromise<void>;
  holds(): MaybePromise<Holdings>;
}

/** Opens a directory with a limit in MiB. */
export type OpenLargeStore = (folder: string, limitMb: number) => Promise<LargeStore>;

const NOTHING: Holdings = { entries: 0, bytes: 0, evictions: 0 };

/** The ways to a directory. */
export const ENGINES: Readonly<Record<string, OpenLargeStore>> = {
  async log(folder, limitMb) {
    const log = await openLog(folder, { maxBytes: limitMb * MIB });
    return {
      set: (item) => log.put(item.key, frameOf(item), Infinity),
      get: ({ key }) => andThen(log.get(key), bodyOf),
      flush: () => log.flush(),
      close: () => log.close(),
      holds() {
        const stats = log.stats();
        return { ...stats, bytes: stats.diskBytes };
      },
    };
  },
  async backend(folder, limitMb) {
    const backend = await openBackend(folder, { maxSizeMb: limitMb });
    return {
      set: (item) => backend.set(item.key, entryOf(item)),
      get: async ({ key }) => (await backend.get(key))?.value() as Float32Array | undefined,
      flush: () => backend.flush(),
      close: () => backend.close(),
      holds: async () => ({ ...NOTHING, ...await backend.getStats() }),
    };
  },
  async cache(folder, limitMb) {
    const cache = await CacheManager.open({
      backends: [{ type: "filesystem", basePath: folder, maxSizeMb: limitMb }],
    });
    return {
      set: ({ key, vector }) => cache.set(key, vector),
      get: ({ key }) => cache.get(key) as Promise<Float32Array | undefined>,
      flush: () => cache.flush(),
      close: () => cache.close(),
      holds: async () => ({ ...NOTHING, ...(await cache.getStats()).tiers[0] }),
    };
  },
};

/** A store that encodes what it is given and keeps nothing: what a caller costs by itself. */
export function emptyStore(): LargeStore {
  return {
    set: async (item) => (await entryOf(item).encode()).length > 0,
    get: () => undefined,
    flush: () => {},
    close: () => {},
    holds: () => NOTHING,
  };
}
