import { CacheError } from "../errors.ts";
import type { EventHub } from "../observability/events.ts";

/** Tells that a tier gave the entry of another key. */
export function tellOtherKey(events: EventHub, tier: string, key: string): void {
  const error = new CacheError("corrupt", "Cannot use entry: it is of another key", {
    backend: tier,
    key,
  });
  events.emit("corrupt", { tier, key, error });
}
