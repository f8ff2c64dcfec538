// deno-lint-ignore-file require-await -- the floor is async functions that wait for nothing

import { openCacheStore } from "./cache_store.ts";
import { SIZES } from "./values.ts";
import type { OpenTierKind, Store } from "./store.ts";

const FLOOR = "Map, in async functions";

/** The memory tier beside a bare Map. */
export const openMemoryKind: OpenTierKind = () =>
  Promise.resolve({
    sizes: SIZES,
    callsPerSample: 64,
    sources: [
      { name: FLOOR, open: openMap },
      {
        name: "Strata memory",
        floor: FLOOR,
        open: () => openCacheStore({ type: "memory", maxSizeMb: 512 }),
      },
    ],
    close: () => {},
  });

function openMap(): Store {
  const map = new Map<string, Uint8Array>();
  return {
    set: async (key, value) => map.set(key, value.slice()),
    get: async (key) => map.get(key),
    delete: async (key) => map.delete(key),
    getMany: async (keys) => keys.map((key) => map.get(key)),
    close: () => map.clear(),
  };
}
