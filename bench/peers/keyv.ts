import { Keyv } from "keyv";
import { type Peer, TTL_MS } from "./peer.ts";

/** In memory, where it has no limit and no loader. */
export const keyv: Peer = {
  name: "Keyv",
  open() {
    const cache = new Keyv({ ttl: TTL_MS });
    return {
      get: (key) => cache.get(key),
      set: (key, value) => cache.set(key, value),
      close: () => cache.disconnect(),
    };
  },
};
