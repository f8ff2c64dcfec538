import type { ObjectRange } from "./object_store.ts";

/** A range as HTTP writes it. An empty one is none, so its caller must not ask. */
export function rangeHeader({ offset, length }: ObjectRange): string {
  return `bytes=${offset}-${length === undefined ? "" : offset + length - 1}`;
}
