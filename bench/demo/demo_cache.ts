import { CacheManager } from "../../mod.ts";

/** How many texts the model takes at once. */
export const BATCH = 64;

/** The cache of the demo: memory in front of a folder. */
export function openDemoCache(folder: string): Promise<CacheManager> {
  return CacheManager.open({
    backends: [
      { type: "memory", maxSizeMb: 64 },
      { type: "filesystem", basePath: folder, maxSizeMb: 256 },
    ],
  });
}

/** Parts of at most {@linkcode BATCH} members. */
export function batchesOf<T>(members: readonly T[]): T[][] {
  return Array.from(
    { length: Math.ceil(members.length / BATCH) },
    (_, at) => members.slice(at * BATCH, (at + 1) * BATCH),
  );
}
