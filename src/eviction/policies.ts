import { nearestName } from "../nearest_name.ts";
import type { EvictionLimits, EvictionPolicy, EvictionPolicyFactory } from "./eviction_policy.ts";
import { createAutoPolicy } from "./auto.ts";
import { createClockPolicy } from "./clock.ts";
import { createFifoPolicy } from "./fifo.ts";
import { createLfuPolicy } from "./lfu.ts";
import { createLruPolicy } from "./lru.ts";
import { createS3FifoPolicy } from "./s3_fifo.ts";
import { createSievePolicy } from "./sieve.ts";
import { createWTinyLfuPolicy } from "./w_tiny_lfu.ts";

/**
 * The name of an eviction policy:
 *
 * - `"auto"`: measures what suits the requests, and does that.
 * - `"lru"`: what was not used for the longest time leaves.
 * - `"fifo"`: what came first leaves.
 * - `"clock"`: as `"fifo"`, with another round for what was used.
 * - `"lfu"`: what was used least often leaves; old favourites fade.
 * - `"sieve"`: a hand sifts out what is not used.
 * - `"s3-fifo"`: what is used once leaves before what is used twice.
 * - `"w-tiny-lfu"`: what is asked for more often of late stays; its window for new entries adapts.
 */
export type EvictionPolicyName =
  | "auto"
  | "lru"
  | "fifo"
  | "clock"
  | "lfu"
  | "sieve"
  | "s3-fifo"
  | "w-tiny-lfu";

const POLICIES: Readonly<Record<EvictionPolicyName, EvictionPolicyFactory>> = {
  "auto": createAutoPolicy,
  "lru": createLruPolicy,
  "fifo": createFifoPolicy,
  "clock": createClockPolicy,
  "lfu": createLfuPolicy,
  "sieve": createSievePolicy,
  "s3-fifo": createS3FifoPolicy,
  "w-tiny-lfu": createWTinyLfuPolicy,
};

/** The names that a config may give as eviction policy. */
export const evictionPolicyNames: readonly EvictionPolicyName[] = Object.keys(
  POLICIES,
) as EvictionPolicyName[];

/**
 * Makes the eviction policy of a name.
 *
 * @param name one of {@linkcode evictionPolicyNames}.
 * @param limits of the store that asks.
 * @throws {TypeError} when there is none of that name.
 */
export function createEvictionPolicy(name: string, limits: EvictionLimits): EvictionPolicy {
  if (!Object.hasOwn(POLICIES, name)) {
    throw new TypeError(
      `Cannot create eviction policy "${name}": known are ${evictionPolicyNames.join(", ")}${
        nearestName(name, evictionPolicyNames)
      }`,
    );
  }
  return POLICIES[name as EvictionPolicyName](limits);
}
