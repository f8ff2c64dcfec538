// deno-lint-ignore-file require-await -- the floor is async functions that wait for nothing

import type { Peer } from "./peer.ts";

/** The least that an answer by promise costs. */
export const bareMap: Peer = {
  name: "floor: Map, in async functions",
  open() {
    const map = new Map<string, unknown>();
    return {
      get: async (key) => map.get(key),
      set: async (key, value) => map.set(key, value),
      getOrSet: async (key, load) => {
        const held = map.get(key);
        if (held !== undefined) return held;
        const loaded = await load();
        map.set(key, loaded);
        return loaded;
      },
    };
  },
};
