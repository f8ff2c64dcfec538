/*
 * Every tier beside the client or system call that is under it: get, set,
 * delete and getMany, at sizes from 100 bytes to 10 MB, one call after another
 * and 64 at once, 8 of the largest. The tiers are caches with one backend, as
 * their users have them, not bare backends. Medians of what is shorter than the
 * timer can tell are of 64 calls timed together, percentiles of calls timed
 * alone, the timer's own cost in them. A batch has no values over 100 KB.
 *
 *   --quick   short, shows only that it works
 *   --only    only kinds of tiers whose name contains the text; may be repeated
 */

import { parseArgs } from "node:util";
import { scaled } from "./suite/scale.ts";
import { TIER_KINDS } from "./tiers/kinds.ts";
import { measureKind } from "./tiers/measure_kind.ts";
import { openKinds } from "./tiers/open_kinds.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
  },
});

/** For all operations of one store with values of one size. */
const SECONDS = scaled(0.03, 0.7);

console.log("µs a call, one after another; calls a second where 64 are under way at once\n");
for await (const { tier, kind } of openKinds(TIER_KINDS, values.only)) {
  for (const size of kind.sizes) await measureKind({ tier, kind, size, seconds: SECONDS });
}
