import { Cacheable } from "cacheable";
import { type Peer, TTL_MS } from "./peer.ts";

/** Its memory store as the only layer. */
export const cacheable: Peer = {
  name: "Cacheable",
  open() {
    const cache = new Cacheable({ ttl: TTL_MS });
    return {
      get: (key) => cache.get(key),
      set: (key, value) => cache.set(key, value),
      getOrSet: (key, load) => cache.getOrSet(key, load),
      close: () => cache.disconnect(),
    };
  },
};
