import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { compileGlob, escapeGlob, literalPrefix } from "../src/glob.ts";

/** Redis' own matcher, stringmatchlen of its util.c, word for word; exponential, and so kept to short texts. */
function redisMatches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  while (p < pattern.length && t < text.length) {
    switch (pattern[p]) {
      case "*":
        while (pattern[p + 1] === "*") p++;
        if (p + 1 === pattern.length) return true;
        for (; t <= text.length; t++) {
          if (redisMatches(pattern.slice(p + 1), text.slice(t))) return true;
        }
        return false;
      case "?":
        t++;
        break;
      case "[": {
        p++;
        const not = pattern[p] === "^";
        if (not) p++;
        let match = false;
        for (;;) {
          if (p + 2 <= pattern.length && pattern[p] === "\\") {
            p++;
            if (pattern[p] === text[t]) match = true;
          } else if (p >= pattern.length) {
            p--;
            break;
          } else if (pattern[p] === "]") {
            break;
          } else if (p + 3 <= pattern.length && pattern[p + 1] === "-") {
            const [low, high] = [pattern[p]!, pattern[p + 2]!].sort() as [string, string];
            p += 2;
            if (text[t]! >= low && text[t]! <= high) match = true;
          } else if (pattern[p] === text[t]) {
            match = true;
          }
          p++;
        }
        if (match === not) return false;
        t++;
        break;
      }
      default:
        if (pattern[p] === "\\" && p + 2 <= pattern.length) p++;
        if (pattern[p] !== text[t]) return false;
        t++;
    }
    p++;
  }
  if (t === text.length) { while (pattern[p] === "*") p++; }
  return p >= pattern.length && t === text.length;
}

describe("compileGlob()", () => {
  const table: readonly [pattern: string, hits: readonly string[], misses: readonly string[]][] = [
    ["", [""], ["a"]],
    ["*", ["", "a", "a/b:c", "\n", "\ud800"], []],
    ["user:*", ["user:", "user:1", "user:1:2"], ["user", "xuser:1", "User:1"]],
    ["*:1", [":1", "a:1", "a:1:1"], ["a:12", "1"]],
    ["a*b*c", ["abc", "aXbYc", "abbcbc"], ["ab", "acb", "abcd"]],
    ["a?c", ["abc", "a/c", "a?c"], ["ac", "abbc", "a\u{1f600}c"]],
    ["a??c", ["a\u{1f600}c"], ["abc"]],
    ["[abc]x", ["ax", "bx", "cx"], ["dx", "x", "abx"]],
    ["[^abc]x", ["dx", "^x"], ["ax", "x"]],
    ["[a-c]", ["a", "b", "c"], ["d", "-"]],
    ["[c-a]", ["a", "b", "c"], ["d", "-"]],
    ["[!a]", ["!", "a"], ["b"]],
    ["[a\\]]", ["a", "]"], ["\\"]],
    ["[\\a-c]", ["a", "-", "c"], ["b"]],
    ["[]", [], ["", "[]", "]"]],
    ["[^]", ["a", "]"], [""]],
    ["[ab", ["a", "b"], ["[ab", "ab"]],
    ["a[", [], ["a", "a["]],
    ["\\*", ["*"], ["a", "\\*"]],
    ["\\[a]", ["[a]"], ["a"]],
    ["a\\", ["a\\"], ["a"]],
    ["a\\bc", ["abc"], ["a\\bc"]],
    ["**a**", ["a", "bab"], ["b", ""]],
    ["é*", ["é", "éa"], ["e"]],
    ["\0*", ["\0", "\0a"], ["a"]],
  ];
  for (const [pattern, hits, misses] of table) {
    it(`reads ${JSON.stringify(pattern)} as Redis does`, () => {
      const matches = compileGlob(pattern);
      for (const key of hits) assert.ok(matches(key), `hits ${JSON.stringify(key)}`);
      for (const key of misses) assert.ok(!matches(key), `misses ${JSON.stringify(key)}`);
      for (const key of [...hits, ...misses]) {
        assert.equal(redisMatches(pattern, key), hits.includes(key), JSON.stringify(key));
      }
    });
  }

  it("agrees with Redis on any pattern", () => {
    const text = (units: string, maxLength: number) =>
      fc.array(fc.constantFrom(...units), { maxLength }).map((list) => list.join(""));
    fc.assert(
      fc.property(text("ab-[]^\\*?!", 8), text("ab-[]^\\*", 6), (pattern, key) => {
        assert.equal(compileGlob(pattern)(key), redisMatches(pattern, key));
      }),
      { numRuns: 5000 },
    );
  });

  it("takes at most the product of both lengths in steps, also for the worst patterns", () => {
    const key = "a".repeat(2000);
    for (const pattern of ["*a".repeat(12) + "b", "*".repeat(500) + "b", "*a?".repeat(20) + "*b"]) {
      const matches = compileGlob(pattern);
      const steps = countReads(() => assert.equal(matches(key), false));
      assert.ok(steps > 0 && steps <= pattern.length * key.length, `${steps} steps`);
    }
  });

  it("keeps nothing from one key to the next", () => {
    const matches = compileGlob("*a*");
    assert.deepStrictEqual(["xa", "b", "a", "b"].map(matches), [true, false, true, false]);
  });
});

describe("escapeGlob()", () => {
  it("makes a pattern that matches just the text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), fc.string(), (text, other) => {
      const matches = compileGlob(escapeGlob(text));
      assert.ok(matches(text));
      assert.equal(matches(other), other === text);
      assert.equal(literalPrefix(escapeGlob(text)), text);
      assert.ok(compileGlob(`${escapeGlob(text)}*`)(text + other));
    }));
    assert.equal(escapeGlob("a*b?[c]\\^-"), "a\\*b\\?\\[c\\]\\\\^-");
  });
});

describe("literalPrefix()", () => {
  it("is what every match begins with", () => {
    assert.equal(literalPrefix("user:*"), "user:");
    assert.equal(literalPrefix("a\\*b[c]"), "a*b");
    assert.equal(literalPrefix("?a"), "");
    assert.equal(literalPrefix("plain"), "plain");
    assert.equal(literalPrefix("a\\"), "a\\");
  });
});

/** How often a character is read meanwhile, which each step of a match does once. */
function countReads(action: () => void): number {
  const original = String.prototype.charCodeAt;
  let reads = 0;
  String.prototype.charCodeAt = function (this: string, at: number): number {
    reads++;
    return original.call(this, at);
  };
  try {
    action();
  } finally {
    String.prototype.charCodeAt = original;
  }
  return reads;
}
