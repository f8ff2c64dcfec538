import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { retryAfterOf } from "../../../backends/_object_store/http.ts";

const NOW = "Fri, 27 Nov 2026 20:00:00 GMT";

function read(retryAfter: string | null, date: string | undefined = NOW): number | undefined {
  return retryAfterOf((name) => name === "date" ? date : retryAfter);
}

describe("retryAfterOf()", () => {
  it("reads seconds, and times by the clock of the answer", () => {
    assert.equal(read("7"), 7000);
    assert.equal(read("0"), 0);
    assert.equal(read("Fri, 27 Nov 2026 20:01:30 GMT"), 90_000);
    assert.equal(read("Fri, 27 Nov 2026 19:00:00 GMT"), 0);
  });

  it("knows nothing of anything else", () => {
    for (const text of [null, "", "soon", "-1", "1.5", "9999999", "2026-11-27", "soon GMT"]) {
      assert.equal(read(text), undefined, String(text));
    }
    assert.equal(retryAfterOf(() => undefined), undefined);
    assert.equal(read("Fri, 27 Nov 2026 20:01:30 GMT", "never"), undefined);
  });
});
