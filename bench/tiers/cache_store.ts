import { type BackendConfig, CacheManager, type ReadyBackendConfig } from "../../mod.ts";
import type { Store } from "./store.ts";

/** A cache over tiers, as its users have it. */
export async function openCacheStore(
  ...backends: readonly (BackendConfig | ReadyBackendConfig)[]
): Promise<Store> {
  const cache = await CacheManager.open({ backends });
  return {
    set: (key, value) => cache.set(key, value),
    get: (key) => cache.get<Uint8Array>(key),
    delete: (key) => cache.delete(key),
    getMany: (keys) => cache.getMany(keys),
    setStream: (key, value) => cache.setStream(key, value),
    getStream: async (key) => (await cache.getStream(key))!,
    close: () => cache.close(),
  };
}
