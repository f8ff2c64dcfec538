import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { valueOf } from "../../backend_suite/harness.ts";
import { entryOf } from "../../fakes/entries.ts";
import { FaultyDisk } from "../../fakes/faulty_disk.ts";
import { freshSeed, seededRandom } from "../../fakes/seeded_random.ts";
import { diskUsage, filesBelow, withScratch } from "./scratch.ts";

const KIB = 1024;

/** Bytes of an entry that fills one page. */
const PAGE_VALUE = new Uint8Array(3000);

describe("FilesystemBackend with limits", () => {
  for (const evictionPolicy of ["lru", "fifo", "lfu", "s3-fifo"] as const) {
    const seed = freshSeed();
    it(`keeps what du counts below the limit after every call of the disk, with ${evictionPolicy} (seed ${seed})`, () =>
      withScratch(async ({ clock, path, open }) => {
        const random = seededRandom(seed);
        const maxBytes = 256 * KIB;
        const disk = new FaultyDisk();
        let peak = 0;
        disk.after = (call) => {
          if (["openToRead", "read", "status", "list"].includes(call)) return;
          peak = Math.max(peak, diskUsage(path));
          assert.ok(peak <= maxBytes, `${peak} bytes after ${call}`);
        };
        const backend = await open({ maxBytes, evictionPolicy }, disk);
        for (let round = 0; round < 12; round++) {
          await Promise.all(Array.from({ length: 12 }, async () => {
            const key = `key:${Math.floor(random() * 60)}`;
            const dice = random();
            if (dice < 0.1) await backend.delete(key);
            else if (dice < 0.3) await backend.get(key);
            else {
              const value = new Uint8Array(Math.floor(random() ** 3 * 40_000));
              assert.equal(await backend.set(key, entryOf(key, value, { clock })), true);
              assert.ok(await backend.get(key) !== undefined || round >= 0);
            }
          }));
          const { bytes = NaN, entries } = await backend.getStats();
          assert.ok(bytes >= diskUsage(path) && bytes <= maxBytes, `${bytes} bytes are counted`);
          assert.equal(entries, filesBelow(path).length);
        }
        assert.ok((await backend.getStats()).evictions as number > 0, "something had to leave");
        assert.ok(peak > maxBytes / 2, "the room is used");
      }));
  }

  it("set() is false for an entry that is larger than the limit, which evicts nothing but its older value", () =>
    withScratch(async ({ clock, open, reports }) => {
      const backend = await open({ maxBytes: 128 * KIB });
      await backend.set("small", entryOf("small", 1, { clock }));
      await backend.set("key", entryOf("key", "old", { clock }));
      const large = entryOf("key", new Uint8Array(130 * KIB), { clock });
      assert.equal(await backend.set("key", large), false);
      assert.equal(await backend.get("key"), undefined);
      assert.equal(await valueOf(backend, "small"), 1);
      assert.equal(reports.length, 0);
    }));

  it("set() of an entry that needs nearly all the room takes the place of its older value too", () =>
    withScratch(async ({ clock, open, path }) => {
      const backend = await open({ maxBytes: 128 * KIB });
      for (let mark = 1; mark < 4; mark++) {
        const value = new Uint8Array(100 * KIB).fill(mark);
        assert.equal(await backend.set("key", entryOf("key", value, { clock })), true);
        assert.deepStrictEqual(await valueOf(backend, "key"), value);
        assert.equal(filesBelow(path).length, 1);
      }
    }));

  it("set() never waits for ever when all that could leave is being replaced", () =>
    withScratch(async ({ clock, open }) => {
      const backend = await open({ maxBytes: 128 * KIB });
      const value = new Uint8Array(30 * KIB);
      const keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
      for (let round = 0; round < 5; round++) {
        const outcomes = await Promise.all(
          [...keys, ...keys].map((key) => backend.set(key, entryOf(key, value, { clock }))),
        );
        assert.ok(outcomes.every(Boolean));
      }
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

  it("keeps the number of entries after every call of the disk when many come at once", () =>
    withScratch(async ({ clock, open, path }) => {
      const disk = new FaultyDisk();
      disk.after = (call) => {
        if (call !== "rename") return;
        const entries = filesBelow(path).filter((file) => file.endsWith(".entry"));
        assert.ok(entries.length <= 5, `${entries.length} entries`);
      };
      const backend = await open({ maxEntries: 5 }, disk);
      const keys = Array.from({ length: 60 }, (_, at) => `key:${at % 13}`);
      await Promise.all(keys.map((key) => backend.set(key, entryOf(key, key, { clock }))));
      assert.equal((await backend.getStats()).entries, filesBelow(path).length);
      for (const key of keys.slice(0, 5)) await backend.set(key, entryOf(key, key, { clock }));
      assert.equal(filesBelow(path).length, 5);
    }));

  it("gets below a limit that became smaller, oldest first, before it writes", () =>
    withScratch(async ({ clock, open, path }) => {
      const writer = await open();
      for (let at = 0; at < 40; at++) {
        await writer.set(`key:${at}`, entryOf(`key:${at}`, PAGE_VALUE, { clock }));
      }
      await writer.close();
      const backend = await open({ maxBytes: 256 * KIB });
      await backend.set("new", entryOf("new", PAGE_VALUE, { clock }));
      assert.ok(diskUsage(path) <= 256 * KIB);
      assert.equal(await backend.exists("new"), true);
      const left = [];
      for (let at = 0; at < 40; at++) if (await backend.exists(`key:${at}`)) left.push(at);
      assert.ok(left.length > 5 && left.length < 40, `${left.length} are left`);
    }));

  it("set() right after open replaces an entry that the first look has yet to find", () =>
    withScratch(async ({ clock, open, path }) => {
      const writer = await open();
      const keys = Array.from({ length: 50 }, (_, at) => `key:${at}`);
      for (const key of keys) await writer.set(key, entryOf(key, "old", { clock }));
      await writer.close();
      const backend = await open({ maxEntries: 50 });
      await Promise.all(
        keys.map((key, at) =>
          at % 5 === 0 ? backend.delete(key) : backend.set(key, entryOf(key, "new", { clock }))
        ),
      );
      await backend.refresh();
      assert.equal((await backend.getStats()).entries, 40);
      assert.equal(filesBelow(path).length, 40);
      assert.equal(await valueOf(backend, "key:1"), "new");
    }));

  it("does not walk the directory when it evicts", () =>
    withScratch(async ({ clock, open }) => {
      const disk = new FaultyDisk();
      const backend = await open({ maxEntries: 20 }, disk);
      await backend.getStats();
      const lists = disk.counts.get("list");
      for (let at = 0; at < 100; at++) {
        await backend.set(`key:${at}`, entryOf(`key:${at}`, 1, { clock }));
      }
      assert.equal((await backend.getStats()).evictions, 80);
      assert.equal(disk.counts.get("list"), lists);
    }));
});
