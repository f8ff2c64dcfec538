import assert from "node:assert/strict";
import { describe } from "node:test";
import { entryOf } from "../fakes/entries.ts";
import { deleteMany, getMany, liveKeys, setMany, type SuiteTest, valueOf } from "./harness.ts";

/** Batch calls keep the order of their input, and agree with the single ones. */
export function describeBatches(test: SuiteTest): void {
  describe("batches", () => {
    test("getMany() keeps order, length and duplicates", async ({ backend, clock }) => {
      const stored = ["c", "a", "b"];
      await setMany(backend, stored.map((key) => entryOf(key, key.repeat(3), { clock })));
      const asked = ["a", "missing", "c", "a", "b", "missing", "a"];
      const read = await getMany(backend, asked);
      assert.equal(read.length, asked.length);
      assert.deepStrictEqual(
        await Promise.all(read.map((entry) => entry?.value())),
        ["aaa", undefined, "ccc", "aaa", "bbb", undefined, "aaa"],
      );
      assert.deepStrictEqual(await getMany(backend, []), []);
    });

    test("setMany() stores the last of entries with one key", async ({ backend, clock }) => {
      const outcomes = await setMany(backend, [
        entryOf("a", 1, { clock }),
        entryOf("b", 2, { clock }),
        entryOf("a", 3, { clock }),
      ]);
      assert.deepStrictEqual(outcomes, [true, true, true]);
      assert.equal(await valueOf(backend, "a"), 3);
      assert.equal(await valueOf(backend, "b"), 2);
      assert.deepStrictEqual(await setMany(backend, []), []);
      assert.deepStrictEqual(await liveKeys(backend, ["a", "b"]), ["a", "b"]);
    });

    test("deleteMany() counts each live entry once", async ({ backend, clock }) => {
      for (const key of ["a", "b", "c"]) await backend.set(key, entryOf(key, 1, { clock }));
      await backend.set("over", entryOf("over", 1, { clock, ttlMs: 1 }));
      clock.advance(1);
      assert.equal(await deleteMany(backend, ["a", "missing", "b", "a", "over"]), 2);
      assert.equal(await deleteMany(backend, []), 0);
      assert.deepStrictEqual(await liveKeys(backend, ["a", "b", "c", "over"]), ["c"]);
    });

    test("getMany() brings back 500 entries", async ({ backend, clock }) => {
      const keys = Array.from({ length: 500 }, (_, at) => `key:${at}`);
      const entries = keys.map((key, at) =>
        entryOf(key, new Float32Array(16).fill(at), { clock, ttlMs: at % 2 === 0 ? 10 : 20 })
      );
      assert.deepStrictEqual(await setMany(backend, entries), keys.map(() => true));
      clock.advance(10);
      const read = await getMany(backend, keys);
      for (const [at, entry] of read.entries()) {
        if (at % 2 === 0) assert.equal(entry, undefined);
        else assert.deepStrictEqual(await entry?.value(), new Float32Array(16).fill(at));
      }
    });
  });
}
