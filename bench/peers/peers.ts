import { bareMap } from "./bare_map.ts";
import { bentoCache, bentoCacheUnserialized } from "./bentocache.ts";
import { cacheManager } from "./cache_manager.ts";
import { cacheable } from "./cacheable.ts";
import { keyv } from "./keyv.ts";
import { layeredLoader } from "./layered_loader.ts";
import { lruCache } from "./lru_cache.ts";
import { ocache } from "./ocache.ts";
import type { Peer } from "./peer.ts";
import { strataMemory, strataTwoTiers } from "./strata.ts";
import { unstorage } from "./unstorage.ts";

/** All that is measured, the floor first. */
export const PEERS: readonly Peer[] = [
  bareMap,
  strataMemory,
  strataTwoTiers,
  lruCache,
  layeredLoader,
  cacheManager,
  cacheable,
  keyv,
  bentoCache,
  bentoCacheUnserialized,
  unstorage,
  ocache,
];
