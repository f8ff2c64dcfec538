import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { compileGlob } from "../../src/glob.ts";
import { reservedKey, Scope } from "../../src/manager/scope.ts";

/** Text of the characters that mean something in stored keys, and a few others. */
const text = fc.array(fc.constantFrom(..."@:/%!ab*?[]\\^-25F\0\ud800"), { maxLength: 6 })
  .map((parts) => parts.join(""));
const name = text.filter((candidate) => candidate !== "");
const path = fc.array(name, { maxLength: 3 });

function scopeOf(names: readonly string[]): Scope {
  return names.reduce((scope, inside) => scope.inside(inside), Scope.root);
}

describe("Scope", () => {
  it("keys of the cache itself are stored as they are, unless they begin with the mark", () => {
    assert.equal(Scope.root.key("user:1"), "user:1");
    assert.equal(Scope.root.key(""), "");
    assert.equal(Scope.root.key("@x"), "@:@x");
    assert.equal(scopeOf(["a"]).key("k"), "@a:k");
    assert.equal(scopeOf(["a", "b"]).key("k"), "@a/b:k");
    assert.equal(scopeOf(["a/b"]).key("k"), "@a%2Fb:k");
  });

  it("no two pairs of namespace and key share a record", () => {
    fc.assert(
      fc.property(path, text, path, text, (names, key, otherNames, otherKey) => {
        const same = JSON.stringify([names, key]) === JSON.stringify([otherNames, otherKey]);
        assert.equal(scopeOf(names).key(key) === scopeOf(otherNames).key(otherKey), same);
      }),
      { numRuns: 5000 },
    );
  });

  it("the library's own records are apart from all keys of callers", () => {
    fc.assert(
      fc.property(path, text, text, text, (names, key, kind, reserved) => {
        assert.notEqual(scopeOf(names).key(key), reservedKey(kind, reserved));
      }),
      { numRuns: 3000 },
    );
    assert.notEqual(Scope.root.key("@!tag:x"), reservedKey("tag", "x"));
    assert.notEqual(scopeOf(["!tag"]).key("x"), reservedKey("tag", "x"));
  });

  it("patterns() without a pattern match just what is in the scope and those inside", () => {
    fc.assert(
      fc.property(path, path, text, (names, otherNames, key) => {
        const stored = scopeOf(otherNames).key(key);
        const isInside = names.every((part, at) => otherNames[at] === part);
        assert.equal(matchesAny(scopeOf(names).patterns(undefined), stored), isInside);
      }),
      { numRuns: 5000 },
    );
  });

  it("patterns() in a namespace match just the keys of that namespace that the pattern matches", () => {
    fc.assert(
      fc.property(
        path.filter((names) => names.length > 0),
        path,
        text,
        text,
        (names, otherNames, pattern, key) => {
          const isSame = JSON.stringify(names) === JSON.stringify(otherNames);
          assert.equal(
            matchesAny(scopeOf(names).patterns(pattern), scopeOf(otherNames).key(key)),
            isSame && compileGlob(pattern)(key),
          );
        },
      ),
      { numRuns: 5000 },
    );
  });

  it("patterns() of the cache itself match every key of its own that the pattern matches", () => {
    fc.assert(
      fc.property(text, text, (pattern, key) => {
        if (!compileGlob(pattern)(key)) return;
        assert.ok(matchesAny(Scope.root.patterns(pattern), Scope.root.key(key)), pattern);
      }),
      { numRuns: 5000 },
    );
    for (const pattern of ["@x", "\\@x", "?x", "[@]x", "[^a]x", "*", "*x", "@*"]) {
      assert.ok(matchesAny(Scope.root.patterns(pattern), Scope.root.key("@x")), pattern);
    }
  });

  it("patterns() of the cache itself spare its keys that begin with the mark where only those of a namespace match", () => {
    assert.equal(matchesAny(Scope.root.patterns("@a:*"), Scope.root.key("@x")), false);
    assert.equal(matchesAny(Scope.root.patterns("@a:*"), scopeOf(["a"]).key("x")), true);
    assert.equal(matchesAny(Scope.root.patterns("@a:*"), Scope.root.key("@a:x")), true);
    assert.equal(matchesAny(Scope.root.patterns("@x"), Scope.root.key("@y")), false);
  });
});

function matchesAny(patterns: readonly (string | undefined)[], stored: string): boolean {
  return patterns.some((pattern) => pattern === undefined || compileGlob(pattern)(stored));
}
