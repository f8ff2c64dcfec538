import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BackendConfig, CacheManager } from "../../mod.ts";
import { MAX_ENTRIES, type OpenPeer, type Peer, TTL_MS } from "./peer.ts";

const memory: BackendConfig = { type: "memory", maxSizeMb: 256, maxEntries: MAX_ENTRIES };

/** One tier. */
export const strataMemory: Peer = { name: "Strata, memory", open: () => open([memory]) };

/** Two tiers, so that a write goes to disk too. */
export const strataTwoTiers: Peer = {
  name: "Strata, memory and disk",
  async open() {
    const basePath = mkdtempSync(join(tmpdir(), "strata-peers-"));
    const peer = await open([memory, { type: "filesystem", basePath }]);
    return {
      ...peer,
      async close() {
        await peer.close?.();
        rmSync(basePath, { recursive: true, force: true });
      },
    };
  },
};

async function open(backends: readonly BackendConfig[]): Promise<OpenPeer> {
  const cache = await CacheManager.open({ backends, defaultTtl: TTL_MS / 1000 });
  return {
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    getOrSet: (key, load) => cache.getOrSet(key, load),
    close: () => cache.close(),
  };
}
