import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { KeyMemo, seedOf } from "../src/_key_memo.ts";

const TEXT_AT_LIMIT = (1 << 17) - 2;

describe("KeyMemo", () => {
  it("join() is the prefix and the text, whatever was joined before", () => {
    const memo = new KeyMemo();
    const texts = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("", "a", "aa", "\ud800"));
    fc.assert(
      fc.property(fc.constantFrom("", "m:", "mm:"), texts, (prefix, text) => {
        // One seed for all, so that prefixes meet in the same slots.
        assert.equal(memo.join(prefix, 7, text), prefix + text);
        assert.equal(memo.join(prefix, 7, text), prefix + text);
      }),
      { numRuns: 500 },
    );
  });

  it("join() tells texts apart that agree in every sampled place", () => {
    const memo = new KeyMemo();
    const other = (at: number): string => `${"x".repeat(at)}y${"x".repeat(999 - at)}`;
    for (let round = 0; round < 2; round++) {
      for (let at = 0; at < 1000; at++) {
        assert.equal(memo.join("m:", 1, other(at)), `m:${other(at)}`);
      }
    }
  });

  it("join() stays right when its room is used up many times", () => {
    const memo = new KeyMemo();
    for (let at = 0; at < 200; at++) {
      for (const length of [10, 5000, TEXT_AT_LIMIT, TEXT_AT_LIMIT + 1]) {
        const text = String(at).padEnd(length, "x");
        assert.equal(memo.join("m:", 1, text), `m:${text}`);
      }
    }
  });

  it("seedOf() differs for different prefixes", () => {
    const seeds = new Set(["", "a", "b", "ab", "ba", 'embeddings:"m":'].map(seedOf));
    assert.equal(seeds.size, 6);
  });
});
