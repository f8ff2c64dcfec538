import { createKeyv } from "cacheable";
import { createCache } from "cache-manager";
import { MAX_ENTRIES, type Peer, TTL_MS } from "./peer.ts";

/** Over the store that its README names for memory. */
export const cacheManager: Peer = {
  name: "cache-manager",
  open() {
    const cache = createCache({ stores: [createKeyv({ ttl: TTL_MS, lruSize: MAX_ENTRIES })] });
    return {
      get: (key) => cache.get(key),
      set: (key, value) => cache.set(key, value),
      getOrSet: (key, load) => cache.wrap(key, load),
      close: () => cache.disconnect(),
    };
  },
};
