import type { CacheEntry } from "../entry/entry.ts";
import type { EventHub } from "../observability/events.ts";
import { dropOutdated } from "./drop_outdated.ts";
import type { Ticket } from "./fences.ts";
import type { Tier } from "./tier.ts";

/** Copies an entry into faster tiers: into memory at once, into others in the background. */
export function promote(
  events: EventHub,
  entry: CacheEntry,
  from: Tier,
  missed: readonly Tier[],
  ticket: Ticket,
): Promise<unknown> | undefined {
  if (missed.length === 0 || !ticket.isUndisturbed) return undefined;
  const isCurrent = (): boolean => ticket.isUndisturbed;
  const copies = missed.map(async (to) => {
    const outcome = await to.promote(entry, isCurrent);
    if (outcome === "stored" && events.has("promotion")) {
      events.emit("promotion", { key: entry.key, from: from.name, to: to.name });
    }
    return outcome;
  });
  return Promise.all(copies).then((outcomes) => dropOutdated(missed, entry, outcomes));
}
