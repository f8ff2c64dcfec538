import type { Mood } from "./delayed_backend.ts";

/** What happens to a cache under load. */
export interface Scenario {
  readonly name: string;
  /** What the tiers hold at the beginning; with a snapshot, of what memory held, there is what it brings back. */
  readonly filled: "all tiers" | "slow tiers" | "slow tiers and a snapshot" | "nothing";
  /** How the object store is in the middle third. */
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
  { name: "object store down", filled: "slow tiers", trouble: "down" },
  { name: "object store hanging", filled: "slow tiers", trouble: "hanging" },
];
