import type { Mood } from "./delayed_backend.ts";

/** What happens to a cache under load. */
export interface Scenario {
  readonly name: string;
  /** What the tiers hold at the beginning; with a snapshot, of what memory held, there is what it brings back. */
  readonly filled: "all tiers" | "slow tiers" | "slow tiers and a snapshot" | "nothing";
  /** Whether Redis is the middle tier, in place of the disk. */
  readonly hasRedis?: boolean;
  /** How the slowest tier is in the middle third, or the one in the middle where that is Redis. */
  readonly trouble?: Mood;
  /** Each key is asked for by many at the same time, and is new. */
  readonly isStampede?: boolean;
}

/** From the best day to the worst. */
export const SCENARIOS: readonly Scenario[] = [
  { name: "warm", filled: "all tiers" },
  { name: "warm start", filled: "slow tiers and a snapshot" },
  { name: "cold memory", filled: "slow tiers" },
  { name: "cold start", filled: "nothing" },
  { name: "stampede", filled: "nothing", isStampede: true },
  { name: "object store slow", filled: "slow tiers", trouble: "slow" },
  { name: "object store down", filled: "slow tiers", trouble: "down" },
  { name: "object store hanging", filled: "slow tiers", trouble: "hanging" },
  { name: "over Redis, cold memory", filled: "slow tiers", hasRedis: true },
  { name: "over Redis, Redis slow", filled: "slow tiers", hasRedis: true, trouble: "slow" },
  { name: "over Redis, Redis down", filled: "slow tiers", hasRedis: true, trouble: "down" },
];
