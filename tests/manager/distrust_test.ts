import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Distrust } from "../../src/manager/distrust.ts";

const NONE: ReadonlySet<string> = new Set();

describe("Distrust", () => {
  it("a key is distrusted from its failure to its next success", () => {
    const distrust = new Distrust();
    assert.ok(distrust.isEmpty && !distrust.has("a"));
    distrust.failed(["a"], distrust.begin());
    assert.ok(!distrust.isEmpty && distrust.has("a") && !distrust.has("b"));
    distrust.succeeded(["a"], distrust.begin());
    assert.ok(distrust.isEmpty && !distrust.has("a"));
  });

  it("a failure's own late success mends it, one of an earlier write does not", () => {
    const distrust = new Distrust();
    const earlier = distrust.begin();
    const failed = distrust.begin();
    distrust.failed(["a"], failed);
    distrust.succeeded(["a"], earlier);
    assert.equal(distrust.has("a"), true);
    distrust.succeeded(["a"], failed);
    assert.equal(distrust.has("a"), false);
  });

  it("an earlier write that fails late does not hide a later failure", () => {
    const distrust = new Distrust();
    const earlier = distrust.begin();
    const later = distrust.begin();
    distrust.failed(["a"], later);
    distrust.failed(["a"], earlier);
    distrust.succeeded(["a"], earlier);
    assert.equal(distrust.has("a"), true);
  });

  it("a failed clear distrusts what matches, written later or not at all", () => {
    const distrust = new Distrust();
    const before = distrust.begin();
    const clear = distrust.begin();
    distrust.clearFailed("user:*", clear);
    assert.ok(distrust.has("user:1") && !distrust.has("post:1"));
    distrust.succeeded(["user:1"], before);
    assert.equal(distrust.has("user:1"), true, "that write came before the clear");
    distrust.succeeded(["user:1"], distrust.begin());
    assert.equal(distrust.has("user:1"), false);
    assert.equal(distrust.has("user:2"), true);
  });

  it("a write that succeeds while the clear that fails is under way is trusted", () => {
    const distrust = new Distrust();
    const clear = distrust.begin();
    const after = distrust.begin();
    distrust.clearFailed("a*", clear);
    distrust.succeeded(["a"], after);
    assert.equal(distrust.has("a"), false);
  });

  it("a key mended after a failed clear is distrusted when its next write fails", () => {
    const distrust = new Distrust();
    distrust.clearFailed(undefined, distrust.begin());
    distrust.succeeded(["a"], distrust.begin());
    distrust.failed(["a"], distrust.begin());
    assert.equal(distrust.has("a"), true);
  });

  it("a clear that succeeds mends what it matches: all, or its own pattern", () => {
    const distrust = new Distrust();
    distrust.clearFailed("a*", distrust.begin());
    distrust.clearFailed("b*", distrust.begin());
    distrust.failed(["a1", "c1"], distrust.begin());
    distrust.cleared("a*", distrust.begin(), NONE);
    assert.ok(!distrust.has("a1") && distrust.has("b1") && distrust.has("c1"));
    distrust.cleared(undefined, distrust.begin(), NONE);
    assert.ok(distrust.isEmpty);
  });

  it("a clear does not mend what failed after it began", () => {
    const distrust = new Distrust();
    const clear = distrust.begin();
    distrust.failed(["a"], distrust.begin());
    distrust.clearFailed("b", distrust.begin());
    distrust.cleared(undefined, clear, NONE);
    assert.ok(distrust.has("a") && distrust.has("b"));
  });

  it("a straggler stays distrusted when it takes effect after the clear", () => {
    const distrust = new Distrust();
    const straggler = distrust.begin();
    const clear = distrust.begin();
    distrust.cleared("a*", clear, new Set(["a1", "b1"]));
    assert.ok(distrust.has("a1") && !distrust.has("b1"));
    distrust.succeeded(["a1"], straggler);
    assert.equal(distrust.has("a1"), true);
    distrust.succeeded(["a1"], distrust.begin());
    assert.equal(distrust.has("a1"), false);
  });

  it("stays small: with too many keys or clears, everything is distrusted", () => {
    const keys = new Distrust();
    keys.failed(Array.from({ length: 65_537 }, (_, at) => `key ${at}`), keys.begin());
    assert.equal(keys.has("never written"), true);
    keys.succeeded(["never written"], keys.begin());
    assert.equal(keys.has("never written"), false);

    const clears = new Distrust();
    for (let at = 0; at < 65; at++) clears.clearFailed(`user:${at}:*`, clears.begin());
    assert.equal(clears.has("post:1"), true);
    clears.cleared(undefined, clears.begin(), NONE);
    assert.ok(clears.isEmpty);
  });

  it("remembers the keys mended after a failed clear only up to a bound, and forgets to the safe side", () => {
    const distrust = new Distrust();
    distrust.clearFailed("a*", distrust.begin());
    distrust.succeeded(["a first", "b"], distrust.begin());
    assert.equal(distrust.has("a first"), false);
    for (let at = 0; at < 65_537; at++) distrust.succeeded([`a${at}`], distrust.begin());
    assert.equal(distrust.has("a first"), true);
    assert.equal(distrust.has("b"), false);
  });
});
