import { systemClock } from "../../src/clock.ts";
import type { BackendContext } from "../../src/types.ts";

/**
 * A context of a test whose backend asks a real server: entries live by the
 * test's clock, but a request that is lost is given up, and made again, by the
 * time of the world.
 */
export function servedContext(context: BackendContext): BackendContext {
  const { clock } = context;
  return {
    ...context,
    clock: {
      now: () => clock.now(),
      recent: () => clock.recent(),
      schedule: (callback, delay, keepsAlive) => systemClock.schedule(callback, delay, keepsAlive),
    },
  };
}
