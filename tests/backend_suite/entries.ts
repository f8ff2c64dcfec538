import assert from "node:assert/strict";
import { describe } from "node:test";
import { entryOf } from "../fakes/entries.ts";
import { liveKeys, type SuiteTest, valueOf } from "./harness.ts";

/** What a backend may count; it may tell more than that. */
const COUNTS = [
  "entries",
  "bytes",
  "maxBytes",
  "maxEntries",
  "evictions",
  "expirations",
  "corruptions",
] as const;

/** Metadata, overwriting, deleting, and who owns what was handed out. */
export function describeEntries(test: SuiteTest): void {
  describe("entries", () => {
    test("get() keeps times, version, tags and key", async ({ backend, clock }) => {
      const entry = entryOf("key", [1], {
        clock,
        ttlMs: 12_345,
        staleMs: 678,
        version: 2 ** 50 + 1,
        tags: ["a", "b c", "ü"],
      });
      await backend.set("key", entry);
      clock.advance(100);
      const read = await backend.get("key");
      assert.deepStrictEqual(
        {
          key: read?.key,
          createdAt: read?.createdAt,
          expiresAt: read?.expiresAt,
          staleUntil: read?.staleUntil,
          version: read?.version,
          tags: [...(read?.tags ?? [])],
        },
        {
          key: "key",
          createdAt: entry.createdAt,
          expiresAt: entry.createdAt + 12_345,
          staleUntil: entry.createdAt + 13_023,
          version: 2 ** 50 + 1,
          tags: ["a", "b c", "ü"],
        },
      );
    });

    test("set() replaces value and metadata when the key is there", async ({ backend, clock }) => {
      await backend.set("key", entryOf("key", "old", { clock, version: 1, tags: ["old"] }));
      await backend.set("key", entryOf("key", "the new one", { clock, version: 2 }));
      const read = await backend.get("key");
      assert.equal(await read?.value(), "the new one");
      assert.equal(read?.version, 2);
      assert.deepStrictEqual([...(read?.tags ?? ["none read"])], []);
      assert.deepStrictEqual(await liveKeys(backend, ["key"]), ["key"]);
      assert.equal(await backend.clear(), 1);
    });

    test("set() replaces a long value by a short one and back", async ({ backend, clock }) => {
      for (const length of [50_000, 3, 0, 4_000, 70_000]) {
        const value = new Uint8Array(length).fill(length % 251);
        await backend.set("key", entryOf("key", value, { clock }));
        assert.deepStrictEqual(await valueOf(backend, "key"), value);
      }
    });

    test("delete() tells whether a live entry was there", async ({ backend, clock }) => {
      assert.equal(await backend.delete("key"), false);
      await backend.set("key", entryOf("key", 1, { clock }));
      await backend.set("other", entryOf("other", 2, { clock }));
      assert.equal(await backend.delete("key"), true);
      assert.equal(await backend.delete("key"), false);
      assert.equal(await backend.get("key"), undefined);
      assert.equal(await backend.exists("key"), false);
      assert.equal(await valueOf(backend, "other"), 2);
      await backend.set("key", entryOf("key", 3, { clock }));
      assert.equal(await valueOf(backend, "key"), 3);
    });

    test("get() gives the whole value however often it is asked", async ({ backend, clock }) => {
      await backend.set("key", entryOf("key", { list: [1, 2] }, { clock }));
      for (let turn = 0; turn < 3; turn++) {
        assert.deepStrictEqual(await valueOf(backend, "key"), { list: [1, 2] });
      }
    });

    test("get() does not see it when a frame that was handed out is overwritten", async ({ backend, clock }) => {
      const entry = entryOf("key", new Uint8Array([1, 2, 3]), { clock, tags: ["t"] });
      await backend.set("key", entry);
      (await entry.encode()).fill(0);
      const read = await backend.get("key");
      assert.ok(read !== undefined);
      (await read.encode()).fill(0);
      const again = await backend.get("key");
      assert.deepStrictEqual(await again?.value(), new Uint8Array([1, 2, 3]));
      assert.deepStrictEqual([...(again?.tags ?? [])], ["t"]);
    });

    test("peek() and getSync() agree with get() where they are present", async ({ backend, clock }) => {
      await backend.set("key", entryOf("key", "value", { clock, ttlMs: 10 }));
      const readers = [backend.peek, backend.getSync].filter((read) => read !== undefined);
      for (const read of readers) {
        assert.equal(await read.call(backend, "key")?.value(), "value");
        assert.equal(read.call(backend, "missing"), undefined);
      }
      assert.equal(await valueOf(backend, "key"), "value");
      clock.advance(10);
      for (const read of readers) assert.equal(read.call(backend, "key"), undefined);
      assert.equal(await backend.get("key"), undefined);
    });

    test("getStats() counts entries and bytes where it tells them", async ({ backend, clock }) => {
      const before = await backend.getStats();
      for (const key of ["a", "b", "c"]) {
        await backend.set(key, entryOf(key, new Uint8Array(1000), { clock }));
      }
      const full = await backend.getStats();
      await backend.delete("b");
      const after = await backend.getStats();
      for (const stats of [before, full, after]) {
        for (const field of COUNTS) {
          const count = stats[field];
          assert.ok(count === undefined || count >= 0, `${field} is a count: ${count}`);
        }
        assert.ok((stats.bytes ?? 0) <= (stats.maxBytes ?? Infinity), "bytes are within the limit");
      }
      if (full.entries !== undefined) {
        assert.deepStrictEqual([before.entries, full.entries, after.entries], [0, 3, 2]);
      }
      if (full.bytes !== undefined) {
        assert.ok(full.bytes >= 3000, `three values of 1,000 bytes count: ${full.bytes}`);
        assert.ok((after.bytes ?? Infinity) < full.bytes, "a deleted entry counts no more");
      }
    });
  });
}
