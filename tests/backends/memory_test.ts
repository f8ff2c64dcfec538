import { MemoryBackend } from "../../backends/memory.ts";
import { backendSuite } from "../backend_suite.ts";
import { evictionPolicyNames } from "../../src/eviction/policies.ts";

for (const evictionPolicy of evictionPolicyNames) {
  backendSuite(
    `MemoryBackend with ${evictionPolicy}`,
    (context) => new MemoryBackend({ maxSizeMb: 64, maxEntries: 1000, evictionPolicy }, context),
  );
}
