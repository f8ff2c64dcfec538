import type { WriteFormat } from "../entry/content.ts";
import type { VersionClock } from "../entry/version.ts";
import type { EventHub } from "../observability/events.ts";
import type { Clock } from "../types.ts";
import type { CoordinationOptions } from "./coordination_options.ts";
import type { Sharing } from "./shared_tier.ts";
import type { Tier } from "./tier.ts";

/** What a stack is made of. */
export interface TierStackParts {
  /** Fastest first. */
  readonly tiers: readonly Tier[];
  /** The one source of time. */
  readonly clock: Clock;
  /** Takes what happens. */
  readonly events: EventHub;
  /** How values are written. */
  readonly format: WriteFormat;
  /** The most bytes that a compressed value may decode to. */
  readonly maxDecodedBytes: number;
  /** Whether statistics ask the backends what they hold. */
  readonly asksBackends: boolean;
  /** The one source of randomness. */
  readonly random: () => number;
  /** Makes versions. */
  readonly versions: VersionClock;
  /** How the tiers are tied to other processes. */
  readonly sharing: Sharing;
  /** How processes agree. */
  readonly coordination: CoordinationOptions;
}
