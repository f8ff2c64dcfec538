import type { CacheEntry } from "../entry/entry.ts";
import type { Invalidation } from "./invalidation_bus.ts";

/** The last word on one key that has not come to every tier. */
export interface KeyIntent {
  readonly kind: "set" | "delete";
  /** As the tiers know it. */
  readonly key: string;
  /** What was set; `undefined` for a delete. */
  readonly entry: CacheEntry | undefined;
  /** Whether it was a set, which may have come to a tier late, and is not to be there any more. @default false */
  readonly undoesSet?: boolean;
  /** When it was said. */
  readonly version: number;
  /** What others are to be told once the shared tier has it; `undefined` where they have been. */
  readonly announcement: Invalidation | undefined;
}

/** A clear that has not come to every tier. */
export interface ClearIntent {
  readonly kind: "clear";
  /** `undefined` for everything. */
  readonly pattern: string | undefined;
  /** When it was said. */
  readonly version: number;
  /** Whether it stands where those read it who are not told. */
  readonly isNoted: boolean;
  /** As in {@linkcode KeyIntent}. */
  readonly announcement: Invalidation | undefined;
}

/** What was meant to be in the tiers and is not in all of them yet. */
export type Intent = KeyIntent | ClearIntent;

/** What tells intents apart: there is one of each. */
export function intentId(intent: Intent): string {
  return intent.kind === "clear" ? clearId(intent.pattern) : keyId(intent.key);
}

/** The id of the intent of a key. */
export function keyId(key: string): string {
  return `k${key}`;
}

/** The id of the intent of a clear. */
export function clearId(pattern: string | undefined): string {
  return pattern === undefined ? "a" : `c${pattern}`;
}

/** What is left of an intent whose value is not to come back: that it was set. */
export function withoutValue(intent: KeyIntent): KeyIntent {
  const { key, version } = intent;
  // Others may have read what came late.
  const announcement = intent.announcement ?? { kind: "key", key, version };
  return { ...intent, kind: "delete", entry: undefined, undoesSet: true, announcement };
}
