import assert from "node:assert/strict";
import { describe } from "node:test";
import { entryOf } from "../fakes/entries.ts";
import { getMany, liveKeys, type SuiteTest, valueOf } from "./harness.ts";

/** An entry is there up to the last millisecond before its time is over, and not from then on. */
export function describeExpiry(test: SuiteTest): void {
  describe("expiry", () => {
    test("get(), exists() and keys() agree 1 ms before, at and after the end", async ({ backend, clock }) => {
      await backend.set("key", entryOf("key", "value", { clock, ttlMs: 1000 }));
      clock.advance(999);
      assert.equal(await valueOf(backend, "key"), "value");
      assert.equal(await backend.exists("key"), true);
      assert.deepStrictEqual(await liveKeys(backend, ["key"]), ["key"]);
      for (let turn = 0; turn < 2; turn++) {
        clock.advance(1);
        assert.deepStrictEqual(await liveKeys(backend, ["key"]), []);
        assert.equal(await backend.exists("key"), false);
        assert.equal(await backend.get("key"), undefined);
        assert.deepStrictEqual(await getMany(backend, ["key"]), [undefined]);
      }
    });

    test("delete() and clear() do not count what is over", async ({ backend, clock }) => {
      await backend.set("short:1", entryOf("short:1", 1, { clock, ttlMs: 10 }));
      await backend.set("short:2", entryOf("short:2", 1, { clock, ttlMs: 10 }));
      await backend.set("short:3", entryOf("short:3", 1, { clock, ttlMs: 11 }));
      await backend.set("long", entryOf("long", 1, { clock }));
      clock.advance(10);
      assert.equal(await backend.delete("short:1"), false);
      assert.equal(await backend.clear("short:*"), 1);
      assert.equal(await backend.clear(), 1);
    });

    test("set() forgets the older end when it replaces", async ({ backend, clock }) => {
      await backend.set("longer", entryOf("longer", 1, { clock, ttlMs: 10 }));
      await backend.set("longer", entryOf("longer", 2, { clock, ttlMs: 1000 }));
      await backend.set("forever", entryOf("forever", 1, { clock, ttlMs: 10 }));
      await backend.set("forever", entryOf("forever", 2, { clock }));
      await backend.set("shorter", entryOf("shorter", 1, { clock, ttlMs: 1000 }));
      await backend.set("shorter", entryOf("shorter", 2, { clock, ttlMs: 10 }));
      clock.advance(10);
      assert.equal(await valueOf(backend, "longer"), 2);
      assert.equal(await valueOf(backend, "forever"), 2);
      assert.equal(await backend.get("shorter"), undefined);
    });

    test("get() still hits after a thousand years when there is no end", async ({ backend, clock }) => {
      await backend.set("key", entryOf("key", "value", { clock }));
      // Not advance(): what a backend does every few seconds would be done ten thousand million times.
      clock.jumpTo(clock.now() + 1000 * 365.25 * 86_400_000);
      assert.equal(await valueOf(backend, "key"), "value");
      assert.equal((await backend.get("key"))?.expiresAt, Infinity);
    });

    test("get() misses when the entry was over before it was set", async ({ backend, clock }) => {
      await backend.set("key", entryOf("key", "old", { clock }));
      const late = entryOf("key", "late", { clock, ttlMs: 5 });
      clock.advance(5);
      await backend.set("key", late);
      assert.equal(await backend.get("key"), undefined);
      assert.deepStrictEqual(await liveKeys(backend, ["key"]), []);
    });

    test("get() misses what is over although it may be served stale", async ({ backend, clock }) => {
      await backend.set("key", entryOf("key", 1, { clock, ttlMs: 5, staleMs: 1000 }));
      clock.advance(5);
      assert.equal(await backend.get("key"), undefined);
      assert.equal(await backend.exists("key"), false);
      assert.deepStrictEqual(await liveKeys(backend, ["key"]), []);
      assert.equal(await backend.clear(), 0);
    });

    test("set() fills a key again after its end", async ({ backend, clock }) => {
      await backend.set("key", entryOf("key", 1, { clock, ttlMs: 5 }));
      clock.advance(5);
      assert.equal(await backend.get("key"), undefined);
      await backend.set("key", entryOf("key", 2, { clock, ttlMs: 5 }));
      clock.advance(4);
      assert.equal(await valueOf(backend, "key"), 2);
    });
  });
}
