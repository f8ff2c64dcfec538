import { CostAware } from "./cost_aware.ts";
import type { EvictionLimits, EvictionPolicy } from "./eviction_policy.ts";
import { Probation } from "./probation.ts";

/** A policy as a store uses it: it heeds costs, and knows entries that nobody has asked for yet. */
export function storePolicy(policy: EvictionPolicy, limits: EvictionLimits): Probation {
  return new Probation(policy.usesCost ? policy : new CostAware(policy), limits);
}
