import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { listFailed } from "./failed.ts";

describe("listFailed()", () => {
  it("says nothing when nothing failed", () => {
    assert.deepEqual(listFailed([]), []);
  });

  it("gives each failure one line with its name and the beginning of its message", () => {
    const lines = listFailed([
      { title: "node: a (a_test.ts)", detail: "Expected:\n\n  1 !== 2\n" },
      { title: "bun: b (b_test.ts)", detail: "x".repeat(10_000) },
    ]);
    assert.equal(lines.length, 3);
    assert.equal(lines[1], "  node: a (a_test.ts): Expected: 1 !== 2");
    assert.match(lines[2]!, /^ {2}bun: b \(b_test\.ts\): x{400} …$/);
  });

  it("stays short however many failed", () => {
    const failures = Array.from({ length: 900 }, (_, at) => ({ title: `t${at}`, detail: "d" }));
    const lines = listFailed(failures);
    assert.equal(lines.length, 32);
    assert.equal(lines.at(-1), "  and 870 more");
  });
});
