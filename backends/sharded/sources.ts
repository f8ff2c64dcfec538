import type { Shard } from "./shard.ts";

/** Each shard with its backend as a source of something, `undefined` where one of them is none. */
export function sourcesOf<T extends object>(
  shards: readonly Shard[],
  method: keyof T,
): readonly (readonly [Shard, T])[] | undefined {
  const found = shards.map((shard) => {
    const source: object = shard.backend;
    return [shard, source as T] as const;
  });
  return found.every(([, source]) => typeof source[method] === "function") ? found : undefined;
}
