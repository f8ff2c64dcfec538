import { reservedKey } from "./scope.ts";

/** Begins the tag that says until when a value is fresh. */
const FRESH = reservedKey("fresh", "");

/**
 * The tag of a value that may be served stale: it says until when it is fresh,
 * in epoch milliseconds. Such an entry lives on in its tiers for as long as it
 * may be served at all, and is a miss to every read that wants it fresh.
 */
export function freshTag(until: number): string {
  return FRESH + until;
}

/** Until when what has these tags is fresh, `Infinity` for as long as it is there. */
export function freshUntil(tags: readonly string[]): number {
  const tag = tags.find(isFreshTag);
  return tag === undefined ? Infinity : Number(tag.slice(FRESH.length));
}

/** Whether a tag is no caller's. */
export function isFreshTag(tag: string): boolean {
  return tag.startsWith(FRESH);
}
