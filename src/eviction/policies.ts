import { nearestName } from "../nearest_name.ts";
import type { EvictionLimits, EvictionPolicy, EvictionPolicyFactory } from "./eviction_policy.ts";
import { createFifoPolicy } from "./fifo.ts";
import { createLfuPolicy } from "./lfu.ts";
import { createLruPolicy } from "./lru.ts";
import { createS3FifoPolicy } from "./s3_fifo.ts";

const POLICIES: ReadonlyMap<string, EvictionPolicyFactory> = new Map([
  ["lru", createLruPolicy],
  ["fifo", createFifoPolicy],
  ["lfu", createLfuPolicy],
  ["s3-fifo", createS3FifoPolicy],
]);

/** The names that a config may give as eviction policy. */
export const evictionPolicyNames: readonly string[] = [...POLICIES.keys()];

/**
 * Makes the eviction policy of a name.
 *
 * @param name one of {@linkcode evictionPolicyNames}.
 * @param limits of the store that asks.
 * @throws {TypeError} when there is none of that name.
 */
export function createEvictionPolicy(name: string, limits: EvictionLimits): EvictionPolicy {
  const create = POLICIES.get(name);
  if (create === undefined) {
    throw new TypeError(
      `Cannot create eviction policy "${name}": known are ${evictionPolicyNames.join(", ")}${
        nearestName(name, evictionPolicyNames)
      }`,
    );
  }
  return create(limits);
}
