import type { OperationOptions } from "../../src/types.ts";
import { batches } from "../_batches.ts";
import type { Rendezvous } from "./rendezvous.ts";
import type { Shard } from "./shard.ts";

/** Strays that are removed in one call. */
const BATCH_KEYS = 1000;

/**
 * Removes from a shard, which must list its keys, the entries of keys that are another's.
 *
 * @returns how many live ones there were.
 */
export async function removeStraysOf(
  shard: Shard,
  placement: Rendezvous<Shard>,
  options: OperationOptions | undefined,
): Promise<number> {
  const { backend } = shard;
  const strays: string[] = [];
  for await (const key of backend.keys!(undefined, options)) {
    if (placement.shardOf(key) !== shard) strays.push(key);
  }
  let removed = 0;
  for (const batch of batches(strays, BATCH_KEYS)) {
    if (backend.deleteMany !== undefined) removed += await backend.deleteMany(batch, options);
    else for (const key of batch) if (await backend.delete(key, options)) removed++;
  }
  return removed;
}
