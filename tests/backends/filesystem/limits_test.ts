import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { evictionPolicyNames } from "../../../src/eviction/policies.ts";
import { valueOf } from "../../backend_suite/harness.ts";
import { entryOf } from "../../fakes/entries.ts";
import { FaultyDisk } from "../../fakes/faulty_disk.ts";
import { freshSeed, seededRandom } from "../../fakes/seeded_random.ts";
import { diskUsage, withScratch } from "./scratch.ts";

const KIB = 1024;

describe("FilesystemBackend with limits", () => {
  for (const evictionPolicy of evictionPolicyNames) {
    const seed = freshSeed();
    it(`keeps what du counts below the limit under large and small values, with ${evictionPolicy} (seed ${seed})`, () =>
      withScratch(async ({ clock, path, open, reports, largeFiles }) => {
        const random = seededRandom(seed);
        const maxBytes = 768 * KIB;
        const disk = new FaultyDisk();
        let peak = 0;
        const look = (what: string): void => {
          peak = Math.max(peak, diskUsage(path));
          assert.ok(peak <= maxBytes, `${peak} bytes after ${what}`);
        };
        disk.after = (call) => {
          if (["openToWrite", "write", "unlink"].includes(call)) look(call);
        };
        const config = { maxBytes, evictionPolicy, maxInlineBytes: "2KB" } as const;
        let backend = await open(config, disk);
        const known = new Map<string, number>();
        for (let round = 0; round < 40; round++) {
          await Promise.all(Array.from({ length: 12 }, async () => {
            const key = `key:${Math.floor(random() * 300)}`;
            const dice = random();
            if (dice < 0.1) await backend.delete(key);
            else if (dice < 0.3) await backend.get(key);
            else {
              const length = Math.floor(random() ** 4 * 40_000);
              known.set(key, length);
              assert.equal(
                await backend.set(key, entryOf(key, new Uint8Array(length), { clock })),
                true,
              );
            }
            look("an operation");
          }));
          if (round % 10 === 9) {
            await backend.close();
            look("close");
            backend = await open(config, disk);
            look("open");
          }
        }
        const { bytes, diskBytes, evictions, entries } = await backend.getStats();
        assert.ok(bytes <= diskBytes && diskBytes <= maxBytes, `${bytes} of ${diskBytes} bytes`);
        assert.ok(entries > 5, `${entries} entries`);
        assert.ok(largeFiles().length > 0);
        assert.ok(evictions > 0 || reports.some(({ kind }) => kind === "evict"));
        assert.ok(peak > maxBytes / 2, "the room is used");
        assert.deepStrictEqual(reports.filter(({ kind }) => kind !== "evict"), []);
        await backend.clear();
        await backend.close();
        assert.deepStrictEqual(largeFiles(), []);
      }));
  }

  it("set() is false for an entry that is larger than the limit, which evicts nothing but its older value", () =>
    withScratch(async ({ clock, open, reports, largeFiles }) => {
      const backend = await open({ maxBytes: 512 * KIB });
      await backend.set("small", entryOf("small", 1, { clock }));
      await backend.set("key", entryOf("key", "old", { clock }));
      const large = entryOf("key", new Uint8Array(520 * KIB), { clock });
      assert.equal(await backend.set("key", large), false);
      assert.equal(await backend.get("key"), undefined);
      assert.equal(await valueOf(backend, "small"), 1);
      assert.deepStrictEqual(reports, []);
      assert.deepStrictEqual(largeFiles(), []);
    }));

  it("set() is false for a key that fits into no record", () =>
    withScratch(async ({ clock, open, largeFiles }) => {
      const backend = await open({ maxBytes: 512 * KIB });
      const key = "k".repeat(100_000);
      assert.equal(await backend.set(key, entryOf(key, 1, { clock })), false);
      assert.equal(await backend.get(key), undefined);
      assert.deepStrictEqual(largeFiles(), []);
    }));

  it("set() of large values at once, more than there is room for, ends with all stored in turn", () =>
    withScratch(async ({ clock, open }) => {
      const backend = await open({ maxBytes: 768 * KIB });
      const value = new Uint8Array(100 * KIB);
      const keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
      for (let round = 0; round < 5; round++) {
        const outcomes = await Promise.all(
          [...keys, ...keys].map((key) => backend.set(key, entryOf(key, value, { clock }))),
        );
        assert.ok(outcomes.some(Boolean));
      }
      assert.ok((await backend.getStats()).evictions > 0);
    }));

  it("evicts what was not used for the longest time", () =>
    withScratch(async ({ clock, open, reports }) => {
      const backend = await open({ maxEntries: 3 });
      for (const key of ["a", "b", "c"]) await backend.set(key, entryOf(key, key, { clock }));
      await backend.get("a");
      await backend.set("d", entryOf("d", "d", { clock }));
      assert.deepStrictEqual(
        await Promise.all(["a", "b", "c", "d"].map((key) => valueOf(backend, key))),
        ["a", undefined, "c", "d"],
      );
      assert.deepStrictEqual(reports, [{ kind: "evict", count: 1 }]);
      assert.equal((await backend.getStats()).entries, 3);
      await backend.set("a", entryOf("a", "again", { clock }));
      assert.equal((await backend.getStats()).evictions, 1);
    }));

  it("removes the file of a large value that is evicted", () =>
    withScratch(async ({ clock, open, largeFiles }) => {
      const backend = await open({ maxEntries: 3, maxInlineBytes: 1 });
      for (let at = 0; at < 10; at++) {
        await backend.set(`key:${at}`, entryOf(`key:${at}`, at, { clock }));
      }
      await backend.close();
      assert.equal(largeFiles().length, 3);
    }));

  it("gets below a limit that became smaller", () =>
    withScratch(async ({ clock, open, path }) => {
      const writer = await open();
      for (let at = 0; at < 40; at++) {
        const value = new Uint8Array(at % 4 === 0 ? 70 * KIB : 3000);
        await writer.set(`key:${at}`, entryOf(`key:${at}`, value, { clock }));
      }
      await writer.close();
      const backend = await open({ maxBytes: 512 * KIB });
      await backend.set("new", entryOf("new", 1, { clock }));
      await backend.close();
      assert.ok(diskUsage(path) <= 512 * KIB, `${diskUsage(path)} bytes`);
    }));
});
