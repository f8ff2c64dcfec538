import { systemClock } from "../src/clock.ts";
import type { BackendContext } from "../src/types.ts";

/** The context of a backend that is used without a manager. */
export const STANDALONE_CONTEXT: BackendContext = { clock: systemClock, report: () => {} };
