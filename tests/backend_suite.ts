/**
 * The contract of {@linkcode CacheBackend} as tests. Every backend runs it,
 * yours too: it needs only `node:test`, which Deno, Bun and Node have.
 *
 * @module
 *
 * @example
 * ```ts no-eval
 * import { backendSuite } from "./backend_suite.ts";
 * import { MapBackend } from "./fakes/map_backend.ts";
 *
 * backendSuite("MapBackend", ({ clock }) => new MapBackend(clock));
 * ```
 */

import { describe } from "node:test";
import { describeBatches } from "./backend_suite/batches.ts";
import { describeClear } from "./backend_suite/clear.ts";
import { describeEntries } from "./backend_suite/entries.ts";
import { describeExpiry } from "./backend_suite/expiry.ts";
import { describeFaults } from "./backend_suite/faults.ts";
import { describeFidelity } from "./backend_suite/fidelity.ts";
import {
  type BackendOpener,
  type BackendSuiteOptions,
  suiteTest,
} from "./backend_suite/harness.ts";
import { describeKeys } from "./backend_suite/keys.ts";
import { describeLifecycle } from "./backend_suite/lifecycle.ts";
import { describeRaces } from "./backend_suite/races.ts";
import { describeRestart } from "./backend_suite/restart.ts";
import { describeStreams } from "./backend_suite/streams.ts";
import { describeVersions } from "./backend_suite/versions.ts";

export type { BackendOpener, BackendSuiteOptions } from "./backend_suite/harness.ts";

/**
 * Describes the contract suite for one backend.
 *
 * @param name names the backend in the names of the tests.
 * @param open makes a backend that holds nothing and has room for 16 MiB and
 * 1,000 entries. It must take the time from the context's clock, which stands
 * still until the suite moves it.
 * @param options what else the backend can be asked to do.
 */
export function backendSuite(
  name: string,
  open: BackendOpener,
  options: BackendSuiteOptions = {},
): void {
  describe(`${name} keeps the contract of backends`, () => {
    const test = suiteTest(open, options);
    describeFidelity(test);
    describeEntries(test);
    describeExpiry(test);
    describeKeys(test);
    describeBatches(test);
    describeClear(test);
    describeRaces(test);
    describeFaults(test);
    describeLifecycle(test);
    if (options.keepsNewest === true) describeVersions(test);
    if (options.movesStreams === true) describeStreams(test);
    if (options.reopen !== undefined) describeRestart(test, options.reopen);
  });
}
