import { installedVersion } from "./installed_version.ts";
import type { Peer } from "./peer.ts";

/** unstorage with its `fs` driver; binary values go through `setItemRaw` and `getItemRaw`. */
export const unstorageFs: Peer = {
  name: "unstorage fs",
  version: () => installedVersion("unstorage"),
  isSlow: true,
  async open(folder) {
    const { createStorage } = await import("unstorage");
    const { default: fsDriver } = await import("unstorage/drivers/fs");
    const storage = createStorage({ driver: fsDriver({ base: folder }) });
    return {
      set: ({ key, bytes }) => storage.setItemRaw(key, bytes),
      get: async ({ key }) => await storage.getItemRaw<Uint8Array>(key) ?? undefined,
      delete: ({ key }) => storage.removeItem(key),
      close: () => storage.dispose(),
    };
  },
};
