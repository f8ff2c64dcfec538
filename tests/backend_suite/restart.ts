import assert from "node:assert/strict";
import { describe } from "node:test";
import { entryOf } from "../fakes/entries.ts";
import { type BackendReopener, liveKeys, type SuiteTest, valueOf } from "./harness.ts";
import { AWKWARD_KEYS } from "./keys.ts";

/** What a store that outlives the process holds when it is opened again. */
export function describeRestart(test: SuiteTest, reopen: BackendReopener): void {
  describe("restart", () => {
    test("get() finds every key, value and time again", async ({ backend, clock, context }) => {
      for (const [at, key] of AWKWARD_KEYS.entries()) {
        const value = new Float32Array(8).fill(at);
        await backend.set(key, entryOf(key, value, { clock, ttlMs: 1000 + at, tags: ["t"] }));
      }
      await backend.close?.();
      clock.advance(500);
      const again = await reopen(backend, context);
      try {
        for (const [at, key] of AWKWARD_KEYS.entries()) {
          const entry = await again.get(key);
          assert.deepStrictEqual(await entry?.value(), new Float32Array(8).fill(at));
          assert.equal(entry?.expiresAt, clock.now() + 500 + at);
          assert.deepStrictEqual([...(entry?.tags ?? [])], ["t"]);
        }
        assert.deepStrictEqual(await liveKeys(again, AWKWARD_KEYS), [...AWKWARD_KEYS].sort());
        clock.advance(500);
        assert.equal(await again.get(AWKWARD_KEYS[0] as string), undefined);
        assert.equal(await again.clear(), AWKWARD_KEYS.length - 1);
      } finally {
        await again.close?.();
      }
    });

    test("get() misses what was deleted, cleared, replaced or over", async ({ backend, clock, context }) => {
      for (const key of ["deleted", "cleared:1", "replaced", "kept"]) {
        await backend.set(key, entryOf(key, "old", { clock }));
      }
      await backend.set("over", entryOf("over", "old", { clock, ttlMs: 10 }));
      await backend.delete("deleted");
      await backend.clear("cleared:*");
      await backend.set("replaced", entryOf("replaced", "new", { clock, version: 2 }));
      await backend.close?.();
      clock.advance(10);
      const again = await reopen(backend, context);
      try {
        assert.equal(await again.get("deleted"), undefined);
        assert.equal(await again.get("cleared:1"), undefined);
        assert.equal(await again.get("over"), undefined);
        assert.equal(await valueOf(again, "replaced"), "new");
        assert.equal(await valueOf(again, "kept"), "old");
      } finally {
        await again.close?.();
      }
    });
  });
}
