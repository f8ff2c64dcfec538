import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { StoredNames } from "../../../backends/_stored_key.ts";
import { compileGlob, escapeGlob } from "../../../src/glob.ts";

/** Any string, with many of what the names are made of. */
const key = fc.string({
  unit: fc.oneof(
    fc.constantFrom(":", "!", "{", "}", "*", "?", "[", "]", "\\", "\uf8fe", "d", "8", "0", "🧠"),
    fc.nat(0xffff).map((unit) => String.fromCharCode(unit)),
  ),
});
const names = new StoredNames("app", "Cannot open");

describe("StoredNames", () => {
  it("entry() gives every key a name of its own, that UTF-8 carries and key() reads back", () => {
    fc.assert(
      fc.property(key, key, (left, right) => {
        const [one, two] = [names.entry(left), names.entry(right)];
        assert.equal(one === two, left === right);
        assert.equal(new TextDecoder().decode(new TextEncoder().encode(one)), one);
        assert.equal(names.key(one), left);
      }),
      { numRuns: 2000 },
    );
  });

  it("entry() of an ordinary key is prefix and key", () => {
    assert.equal(names.entry("user:1"), "app::user:1");
    assert.equal(names.entry("\uf8fe\ud800"), "app::\uf8fef8fe\uf8fed800");
  });

  it("entry() of two prefixes is never the same", () => {
    const prefix = fc.constantFrom("a", "a:b", "ab", "a:b:c", "{a}", "{a}:b", ":a", "A", "a*");
    fc.assert(fc.property(prefix, prefix, key, key, (left, right, one, two) => {
      const stored = new StoredNames(left, "x").entry(one);
      if (left === right) return;
      assert.notEqual(stored, new StoredNames(right, "x").entry(two));
      assert.equal(new StoredNames(right, "x").key(stored), undefined);
    }));
  });

  it("key() knows no key of what is stored by others", () => {
    for (const stored of ["app", "app:", "app:x", "apps::x", "app::\uf8fe", "app::\uf8fe0041"]) {
      assert.equal(names.key(stored), undefined, stored);
    }
  });

  it("lock() gives every name a lock and a number of its own, in one slot", () => {
    fc.assert(fc.property(key, key, (left, right) => {
      const [one, two] = [names.lock(left), names.lock(right)];
      assert.equal(one.lock === two.lock, left === right);
      assert.equal(one.fence === two.fence, left === right);
      assert.equal(hashTag(one.lock), hashTag(one.fence));
      assert.equal(names.key(one.lock), undefined);
    }));
  });

  it("scan() has the server find all that a pattern matches", () => {
    const pattern = fc.oneof(
      key.map(escapeGlob),
      fc.tuple(key, fc.constantFrom("*", "?", "[^x]*", "")).map(([text, end]) =>
        escapeGlob(text) + end
      ),
      key,
    );
    fc.assert(
      fc.property(pattern, key, fc.nat(20), (wanted, other, cut) => {
        const { match, matches } = names.scan(wanted);
        const prefix = compileGlob(match);
        for (const candidate of [other, other + wanted, wanted.slice(0, cut) + other]) {
          assert.equal(matches(candidate), compileGlob(wanted)(candidate));
          if (matches(candidate)) assert.ok(prefix(names.entry(candidate)), candidate);
        }
        assert.ok(!prefix(new StoredNames("app2", "x").entry(other)));
      }),
      { numRuns: 2000 },
    );
    assert.equal(names.scan(undefined).match, "app::*");
    assert.equal(names.scan("user:*").match, "app::user:*");
    assert.equal(names.scan("\ud83e*").match, "app::*", "half a character may be a whole one's");
  });

  for (
    const prefix of [
      "a::b",
      "a:",
      "a!b",
      "\ud800",
      "x".repeat(257),
      '"a',
      "[1",
      " a",
      "a{",
      "a{}b",
      "}a{",
      "{a}{b}",
    ]
  ) {
    it(`refuses the prefix ${JSON.stringify(prefix).slice(0, 40)}`, () => {
      assert.throws(
        () => new StoredNames(prefix, "Cannot open"),
        (error) =>
          error instanceof TypeError && error.message.startsWith("Cannot open: 'prefix' must "),
      );
    });
  }
});

/** What Redis hashes of a key in a cluster. */
function hashTag(stored: string): string {
  const open = stored.indexOf("{");
  const close = stored.indexOf("}", open + 1);
  return open < 0 || close < 0 || close === open + 1 ? stored : stored.slice(open + 1, close);
}
