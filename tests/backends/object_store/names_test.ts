import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeStanding, parseStanding } from "../../../backends/_object_store/object_metadata.ts";
import { ObjectNames } from "../../../backends/_object_store/object_names.ts";
import { AWKWARD_KEYS } from "../../backend_suite/keys.ts";

const anyKey = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 12 })
    .map((units) => String.fromCharCode(...units)),
  fc.stringMatching(/^[a./~:\u00e9%]{0,30}$/),
);

describe("ObjectNames", () => {
  for (const shards of [0, 16]) {
    const names = new ObjectNames("app/cache", shards, "Cannot open");

    it(`entry() has a safe name for each key, which tells it again (${shards} shards)`, async () => {
      const check = async (key: string): Promise<void> => {
        const name = await names.entry(key);
        assert.match(name, /^[\w:=@.\/~-]{1,1024}$/);
        assert.ok(name.split("/").every((part) => part !== "" && !part.endsWith(".")), name);
        const told = names.key(name);
        assert.ok(typeof told === "object" ? name.includes("~h") : told === key, name);
      };
      for (const key of AWKWARD_KEYS) await check(key);
      await fc.assert(fc.asyncProperty(anyKey, check));
    });

    it(`scan() finds the name of every key that matches (${shards} shards)`, async () => {
      await fc.assert(fc.asyncProperty(anyKey, fc.nat(40), async (key, cut) => {
        const start = key.slice(0, cut).replace(/[*?[\]\\]/g, "");
        if (!key.startsWith(start)) return;
        const name = await names.entry(key);
        const { prefixes, matches } = names.scan(`${start}*`);
        assert.ok(matches(key));
        assert.equal(prefixes.filter((prefix) => name.startsWith(prefix)).length, 1);
      }));
    });
  }

  it("entry() keeps plain keys readable", async () => {
    const names = new ObjectNames("app", 0, "Cannot open");
    assert.equal(await names.entry("user:1/a.b"), "app/~k/user:1/a.b");
    assert.match(await names.entry("k".repeat(4096)), /^app\/~k\/k{100}~h[0-9a-f]{64}$/);
  });

  it("refuses prefixes that could be confused", () => {
    for (const prefix of ["", "/", "a/", "/a", "a//b", "..", "a/..", "a~b", "ä", "a."]) {
      assert.throws(() => new ObjectNames(prefix, 0, "Cannot open"), TypeError, prefix);
    }
  });
});

describe("parseStanding()", () => {
  it("brings back what was encoded, and refuses everything else", () => {
    for (const expiresAt of [0, 1.5, 1_700_000_000_000, Infinity]) {
      const standing = { expiresAt, staleUntil: Infinity, version: 2 ** 50 + 1 };
      assert.deepStrictEqual(parseStanding(encodeStanding(standing)), standing);
    }
    for (
      const line of [undefined, "", "1", "1;a;b;c", "2;1;1;1", "1;2;1;1", "1;1;1;-1", "1;1;1;1;1"]
    ) {
      assert.equal(parseStanding(line), undefined, String(line));
    }
  });
});
