import { BentoCache, bentostore } from "bentocache";
import { memoryDriver } from "bentocache/drivers/memory";
import { MAX_ENTRIES, type Peer, TTL_MS } from "./peer.ts";

/** One memory layer, once as it comes and once without turning values into JSON. */
export const bentoCache: Peer = { name: "BentoCache", open: () => open(true) };

/** See {@linkcode bentoCache}. */
export const bentoCacheUnserialized: Peer = {
  name: "BentoCache, serialize: false",
  open: () => open(false),
};

function open(serialize: boolean) {
  const bento = new BentoCache({
    default: "memory",
    ttl: TTL_MS,
    stores: {
      memory: bentostore().useL1Layer(memoryDriver({ maxItems: MAX_ENTRIES, serialize })),
    },
  });
  return {
    get: (key: string) => bento.get({ key }),
    set: (key: string, value: unknown) => bento.set({ key, value }),
    getOrSet: (key: string, load: () => Promise<unknown>) => bento.getOrSet({ key, factory: load }),
    close: () => bento.disconnectAll(),
  };
}
