import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nearestName } from "../src/nearest_name.ts";

describe("nearestName()", () => {
  const known = ["maxSizeMb", "maxBytes", "maxEntries", "evictionPolicy", "lru", ""];
  const table: readonly [name: string, hint: string][] = [
    ["maxSizeMB", ': did you mean "maxSizeMb"?'],
    ["maxsizemb", ': did you mean "maxSizeMb"?'],
    ["maxSize", ': did you mean "maxSizeMb"?'],
    ["maxEntrys", ': did you mean "maxEntries"?'],
    ["evictionpolicy", ': did you mean "evictionPolicy"?'],
    ["lrv", ': did you mean "lru"?'],
    ["xyz", ""],
    ["somethingElse", ""],
    ["ab", ""],
  ];
  for (const [name, hint] of table) {
    it(`answers ${JSON.stringify(hint)} to ${name}`, () => {
      assert.equal(nearestName(name, known), hint);
    });
  }

  it("answers nothing when nothing is known", () => {
    assert.equal(nearestName("x", []), "");
  });

  it("takes the first of names that are as near", () => {
    assert.equal(nearestName("cat", ["bat", "rat"]), ': did you mean "bat"?');
  });

  it("looks at no more than 64 characters of a name", () => {
    const long = "n".repeat(1_000_000);
    assert.equal(nearestName(long, ["n".repeat(64)]), `: did you mean "${"n".repeat(64)}"?`);
  });
});
