import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { needsServer } from "./servers.ts";

describe("needsServer()", () => {
  it("knows what a test imports itself, or through others", () => {
    assert.equal(needsServer("tests/backends/redis_test.ts"), true);
    assert.equal(needsServer("tests/backends/object_store/fault_matrix_test.ts"), true);
    assert.equal(needsServer("tests/backends/object_store/azure_tokens_test.ts"), true);
    assert.equal(needsServer("bench/tier_bench.ts"), true);
  });

  it("knows that servers of this repository are no others", () => {
    assert.equal(needsServer("tests/backends/gcs_test.ts"), false);
    assert.equal(needsServer("tests/run/servers_test.ts"), false);
  });
});
