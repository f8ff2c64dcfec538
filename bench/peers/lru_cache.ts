import { LRUCache } from "lru-cache";
import { MAX_ENTRIES, type Peer, TTL_MS } from "./peer.ts";

/** Synchronous; awaited like the others. */
export const lruCache: Peer = {
  name: "lru-cache",
  open() {
    const cache = new LRUCache<string, Record<string, unknown>>({ max: MAX_ENTRIES, ttl: TTL_MS });
    return {
      get: (key) => Promise.resolve(cache.get(key)),
      set: (key, value) => Promise.resolve(cache.set(key, value as Record<string, unknown>)),
      getOrSet: async (key, load) => {
        return cache.get(key) ?? cache.set(key, await load() as Record<string, unknown>).get(key);
      },
    };
  },
};
