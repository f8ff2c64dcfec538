import { installedVersion } from "./installed_version.ts";
import type { Peer } from "./peer.ts";

/**
 * lmdb, a native addon over a memory map. As its README advises, writes are
 * not awaited one by one but gathered into transactions; the last one counts.
 */
export const lmdb: Peer = {
  name: "lmdb",
  version: () => installedVersion("lmdb"),
  async open(folder) {
    const { open } = await import("lmdb");
    const database = open<Uint8Array, string>({ path: folder, encoding: "binary" });
    return {
      set: ({ key, bytes }) => void database.put(key, bytes),
      get: ({ key }) => database.get(key),
      delete: ({ key }) => void database.remove(key),
      flush: () => database.committed,
      async close() {
        await database.flushed;
        await database.close();
      },
    };
  },
};
