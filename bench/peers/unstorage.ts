import { createStorage } from "unstorage";
import memoryDriver from "unstorage/drivers/memory";
import type { Peer } from "./peer.ts";

/** In memory; it has no time to live, no limit and no loader there. */
export const unstorage: Peer = {
  name: "unstorage memory",
  open() {
    const storage = createStorage({ driver: memoryDriver() });
    return {
      get: (key) => storage.getItem(key),
      set: (key, value) => storage.setItem(key, value as object),
      close: () => storage.dispose(),
    };
  },
};
