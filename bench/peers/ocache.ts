import { defineCachedFunction } from "ocache";
import { type Peer, TTL_MS } from "./peer.ts";

/** Caches functions; what a call loads is handed over by a variable. */
export const ocache: Peer = {
  name: "ocache",
  open() {
    let load: () => Promise<unknown> = () => Promise.resolve(null);
    const cached = defineCachedFunction((_key: string) => load(), {
      name: "bench",
      maxAge: TTL_MS / 1000,
      getKey: (key: string) => key,
    });
    return {
      getOrSet: (key, loads) => {
        load = loads;
        return cached(key);
      },
    };
  },
};
