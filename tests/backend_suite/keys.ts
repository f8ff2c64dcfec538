import assert from "node:assert/strict";
import { describe } from "node:test";
import { entryOf } from "../fakes/entries.ts";
import { getMany, liveKeys, type SuiteTest, valueOf } from "./harness.ts";

/** Keys that stores are known to confuse, cut, refuse or take for something else. */
export const AWKWARD_KEYS: readonly string[] = [
  "",
  "k".repeat(4096),
  "k".repeat(4095) + "K",
  "a",
  "a:b",
  "a/b",
  "a\\b",
  "a//b",
  "/a",
  "../x",
  "..",
  ".",
  "./a",
  "nul\0byte",
  "nul",
  "\0",
  "lone \ud800",
  "lone \ud801",
  "lone \udc00",
  "lone \ufffd",
  "Key",
  "key",
  "u/1",
  "u:1",
  "trailing",
  "trailing.",
  "trailing ",
  " trailing",
  "__proto__",
  "constructor",
  "toString",
  "CON",
  "con.txt",
  "🧠",
  "\u00e9",
  "e\u0301",
  "%2F",
  "/",
  "%",
  "line\nbreak",
  "line\r\nbreak",
  "*",
  "?",
  "[a]",
  "a?b#c",
  "~",
  "-rf",
  "\ufeffbom",
  "bom",
  "1",
  "1.0",
];

/** No two keys share a record, however alike they look to a file system, a protocol or an object. */
export function describeKeys(test: SuiteTest): void {
  describe("keys", () => {
    test(`get() tells ${AWKWARD_KEYS.length} awkward keys apart`, async ({ backend, clock }) => {
      for (const key of AWKWARD_KEYS) {
        assert.equal(await backend.get(key), undefined, `nothing is under ${JSON.stringify(key)}`);
      }
      for (const [at, key] of AWKWARD_KEYS.entries()) {
        assert.equal(await backend.set(key, entryOf(key, at, { clock })), true);
      }
      for (const [at, key] of AWKWARD_KEYS.entries()) {
        const entry = await backend.get(key);
        assert.equal(entry?.key, key);
        assert.equal(await entry?.value(), at, JSON.stringify(key));
        assert.equal(await backend.exists(key), true);
      }
      const read = await getMany(backend, AWKWARD_KEYS);
      assert.deepStrictEqual(
        await Promise.all(read.map((entry) => entry?.value())),
        AWKWARD_KEYS.map((_, at) => at),
      );
      assert.deepStrictEqual(await liveKeys(backend, AWKWARD_KEYS), [...AWKWARD_KEYS].sort());
    });

    test("delete() of an awkward key leaves all others", async ({ backend, clock }) => {
      for (const key of AWKWARD_KEYS) await backend.set(key, entryOf(key, key, { clock }));
      const left = new Set(AWKWARD_KEYS);
      for (const key of AWKWARD_KEYS) {
        assert.equal(await backend.delete(key), true, JSON.stringify(key));
        left.delete(key);
        const neighbour = left.values().next().value;
        if (neighbour !== undefined) assert.equal(await valueOf(backend, neighbour), neighbour);
        assert.equal((await liveKeys(backend, AWKWARD_KEYS)).length, left.size);
      }
    });

    test("get() misses when only a longer or shorter key is there", async ({ backend, clock }) => {
      await backend.set("abc", entryOf("abc", 1, { clock }));
      for (const key of ["ab", "abcd", "abc ", "ABC", "abc\0"]) {
        assert.equal(await backend.get(key), undefined, JSON.stringify(key));
        assert.equal(await backend.delete(key), false, JSON.stringify(key));
      }
      assert.equal(await valueOf(backend, "abc"), 1);
    });
  });
}
