import { type BackendConfig, CacheManager } from "../../mod.ts";
import type { OpenPeer, Peer } from "./peer.ts";

const filesystem = (basePath: string): BackendConfig => ({
  type: "filesystem",
  basePath,
  maxSizeMb: 8000,
});

/** The public cache with a directory as its only tier. */
export const cacheOnDisk: Peer = {
  name: "Strata: CacheManager, filesystem",
  version: () => "vectors in and out",
  open: (folder) => openCache([filesystem(folder)]),
};

/** The public cache with a memory tier so small that all gets miss it, and are promoted into it. */
export const cacheInFront: Peer = {
  name: "Strata: CacheManager, memory miss",
  version: () => "vectors in and out, memory of 256 KB in front",
  open: (folder) => openCache([{ type: "memory", maxBytes: "256KB" }, filesystem(folder)]),
};

async function openCache(backends: readonly BackendConfig[]): Promise<OpenPeer> {
  const cache = await CacheManager.open({ backends });
  return {
    set: ({ key, vector }) => cache.set(key, vector),
    get: ({ key }) => cache.get(key) as Promise<Float32Array | undefined>,
    delete: ({ key }) => cache.delete(key),
    flush: () => cache.flush(),
    close: () => cache.close(),
  };
}
