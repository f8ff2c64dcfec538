import type { CacheManager } from "../../src/manager/cache_manager.ts";
import type { CacheEvents } from "../../src/observability/events.ts";

/** What was told of one kind of event, from now on. */
export function watchEvents<E extends keyof CacheEvents>(
  cache: CacheManager,
  event: E,
): CacheEvents[E][] {
  const told: CacheEvents[E][] = [];
  cache.on(event, (details) => told.push(details));
  return told;
}
