import assert from "node:assert/strict";
import { describe } from "node:test";
import { compileGlob, escapeGlob } from "../../src/glob.ts";
import { entryOf } from "../fakes/entries.ts";
import { AWKWARD_KEYS } from "./keys.ts";
import { liveKeys, type SuiteTest, valueOf } from "./harness.ts";

/** Keys that hold what a glob would read as a wildcard. */
const WILD_KEYS: readonly string[] = [
  "user:*",
  "user:?",
  "user:[ab]",
  "user:\\",
  "user:a",
  "user:ab",
  "user:",
  "user",
  "users:a",
  "group:user:a",
  "User:a",
];

const PATTERNS: readonly string[] = [
  "user:*",
  "user:?",
  "user:\\*",
  "user:\\?",
  "user:\\[ab\\]",
  "user:[ab]",
  "user:[^a]",
  "user:\\\\",
  "*:a",
  "*user*",
  "user",
  "",
  "*",
  "nothing*",
];

/** Patterns pick what the shared glob picks, and nothing beside it. */
export function describeClear(test: SuiteTest): void {
  describe("clear", () => {
    for (const pattern of PATTERNS) {
      test(`clear(${JSON.stringify(pattern)}) removes just what matches`, async ({ backend, clock }) => {
        for (const key of WILD_KEYS) await backend.set(key, entryOf(key, key, { clock }));
        const matches = compileGlob(pattern);
        const doomed = WILD_KEYS.filter(matches).sort();
        if (backend.keys !== undefined) {
          assert.deepStrictEqual(await liveKeys(backend, WILD_KEYS, pattern), doomed);
        }
        assert.equal(await backend.clear(pattern), doomed.length);
        assert.equal(await backend.clear(pattern), 0);
        for (const key of WILD_KEYS) {
          assert.equal(await valueOf(backend, key), matches(key) ? undefined : key);
        }
      });
    }

    test("clear() of an escaped key removes that key alone", async ({ backend, clock }) => {
      for (const key of AWKWARD_KEYS) await backend.set(key, entryOf(key, key, { clock }));
      let left = AWKWARD_KEYS.length;
      for (const key of AWKWARD_KEYS.slice(0, 20)) {
        assert.equal(await backend.clear(escapeGlob(key)), 1, JSON.stringify(key));
        assert.equal((await liveKeys(backend, AWKWARD_KEYS)).length, --left);
      }
      assert.equal(await backend.clear(), left);
      assert.deepStrictEqual(await liveKeys(backend, AWKWARD_KEYS), []);
    });

    test("clear() leaves the backend fit for use", async ({ backend, clock }) => {
      assert.equal(await backend.clear(), 0);
      await backend.set("a", entryOf("a", 1, { clock }));
      assert.equal(await backend.clear(), 1);
      assert.equal(await backend.get("a"), undefined);
      assert.equal(await backend.delete("a"), false);
      await backend.set("a", entryOf("a", 2, { clock }));
      assert.equal(await valueOf(backend, "a"), 2);
    });
  });
}
