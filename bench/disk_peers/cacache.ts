import { Buffer } from "node:buffer";
import { installedVersion } from "./installed_version.ts";
import type { Peer } from "./peer.ts";

/** cacache, npm's own cache, without its memory. */
export const cacacheFiles: Peer = {
  name: "cacache",
  version: () => installedVersion("cacache"),
  isSlow: true,
  async open(folder) {
    const { default: cacache } = await import("cacache");
    return {
      set: ({ key, bytes }) => cacache.put(folder, key, Buffer.from(bytes.buffer)),
      get: async ({ key }) => (await cacache.get(folder, key)).data,
      delete: ({ key }) => cacache.rm.entry(folder, key),
      close: () => cacache.clearMemoized(),
    };
  },
};
