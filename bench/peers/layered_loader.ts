import { Loader } from "layered-loader/core";
import { MAX_ENTRIES, type Peer, TTL_MS } from "./peer.ts";

/** Its loader is given when it is made; what a call loads is handed over by a variable. */
export const layeredLoader: Peer = {
  name: "layered-loader",
  open() {
    let load: () => Promise<unknown> = () => Promise.resolve(null);
    const loader = new Loader<object>({
      inMemoryCache: { ttlInMsecs: TTL_MS, maxItems: MAX_ENTRIES },
      dataSourceGetOneFn: () => load() as Promise<object>,
    });
    return {
      get: (key) => loader.get(key),
      set: (key, value) => loader.forceSetValue(key, value as object),
      getOrSet: (key, loads) => {
        load = loads;
        return loader.get(key);
      },
    };
  },
};
