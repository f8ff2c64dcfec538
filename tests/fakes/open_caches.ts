import { CacheManager } from "../../src/manager/cache_manager.ts";
import type { CacheBackend } from "../../src/types.ts";
import { FakeClock } from "./fake_clock.ts";
import { SteppedBackend } from "./stepped_backend.ts";
import { SyncBackend } from "./sync_backend.ts";

/** A tier of bytes that answers at once until it is told otherwise. */
export function openFlowing(name?: string, clock?: FakeClock): SteppedBackend {
  const backend = new SteppedBackend(name, clock && { clock });
  backend.isFlowing = true;
  return backend;
}

/** A cache over memory and one tier of bytes. */
export async function openBoth(
  { clock = new FakeClock(), ...options }: { clock?: FakeClock; defaultTtl?: number | string } = {},
): Promise<{ cache: CacheManager; memory: SyncBackend; slow: SteppedBackend; clock: FakeClock }> {
  const memory = new SyncBackend(clock);
  const slow = openFlowing("slow", clock);
  const cache = await CacheManager.open({ backends: [memory, slow], clock, ...options });
  return { cache, memory, slow, clock };
}

/** A cache over some tiers, with a clock of its own. */
export async function openOver(...backends: CacheBackend[]): Promise<CacheManager> {
  return await CacheManager.open({ backends, clock: new FakeClock() });
}
