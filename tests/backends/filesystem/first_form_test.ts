import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { liveKeys, valueOf } from "../../backend_suite/harness.ts";
import { AWKWARD_KEYS } from "../../backend_suite/keys.ts";
import { entryOf } from "../../fakes/entries.ts";
import { FaultyDisk } from "../../fakes/faulty_disk.ts";
import { firstFormPath, writeFirstForm } from "./first_form.ts";
import { diskUsage, withScratch } from "./scratch.ts";

/** A disk on which no file of the first form is removed before the gate opens. */
function gatedDisk(): { disk: FaultyDisk; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const disk = new FaultyDisk();
  disk.before = async (call, path) => {
    if (call === "list" && path?.endsWith("v1")) await promise;
  };
  return { disk, open: resolve };
}

describe("FilesystemBackend over a directory of the first form", () => {
  it("has all its entries, and moves them into the log", () =>
    withScratch(async ({ clock, open, path, reports }) => {
      for (const [at, key] of AWKWARD_KEYS.entries()) {
        const value = new Uint8Array(at % 7 === 0 ? 70_000 : 100).fill(at);
        await writeFirstForm(path, key, value, { clock, version: at + 1, tags: ["t"] });
      }
      await writeFirstForm(path, "over", 1, { clock, ttlMs: 5 });
      clock.advance(5);
      const gated = gatedDisk();
      const backend = await open({ maxBytes: Infinity }, gated.disk);
      const check = async (): Promise<void> => {
        for (const [at, key] of AWKWARD_KEYS.entries()) {
          const entry = await backend.get(key);
          const value = new Uint8Array(at % 7 === 0 ? 70_000 : 100).fill(at);
          assert.deepStrictEqual(await entry?.value(), value, JSON.stringify(key));
          assert.equal(entry?.version, at + 1);
          assert.deepStrictEqual(entry?.tags, ["t"]);
          assert.equal(await backend.exists(key), true);
        }
        assert.equal(await backend.get("over"), undefined);
        assert.equal(await backend.exists("none"), false);
      };
      assert.equal(backend.readNow("none"), "wait");
      await check();
      const read = await backend.getMany([...AWKWARD_KEYS, "none"]);
      assert.equal(read.filter(Boolean).length, AWKWARD_KEYS.length);
      gated.open();
      assert.deepStrictEqual(await liveKeys(backend, []), [...AWKWARD_KEYS].sort());
      assert.equal(backend.readNow("none"), undefined);
      await check();
      assert.equal(existsSync(join(path, "v1")), false);
      assert.deepStrictEqual(reports, []);
    }));

  it("never brings back what was replaced, deleted or cleared while it was moved", () =>
    withScratch(async ({ clock, open, path }) => {
      for (const key of ["replaced", "large", "deleted", "many", "kept"]) {
        await writeFirstForm(path, key, "old", { clock });
      }
      const large = new Uint8Array(100_000);
      const gated = gatedDisk();
      const backend = await open({}, gated.disk);
      await backend.set("replaced", entryOf("replaced", "new", { clock, version: 2 }));
      const writing = backend.set("large", entryOf("large", large, { clock, version: 2 }));
      assert.equal(await backend.delete("deleted"), true);
      assert.equal(await backend.delete("deleted"), false);
      assert.equal(await backend.deleteMany(["many", "many", "none"]), 1);
      assert.equal(await backend.get("deleted"), undefined);
      await writing;
      gated.open();
      assert.deepStrictEqual(await liveKeys(backend, []), ["kept", "large", "replaced"]);
      assert.equal(await valueOf(backend, "replaced"), "new");
      assert.deepStrictEqual(await valueOf(backend, "large"), large);
      await backend.close();
      await writeFirstForm(path, "replaced", "old", { clock });
      await writeFirstForm(path, "more", "old", { clock });
      const again = await open();
      assert.equal(await again.clear("more"), 1);
      assert.equal(await valueOf(again, "replaced"), "new");
      assert.equal(await again.clear(), 3);
      await again.close();
      assert.deepStrictEqual(await liveKeys(await open(), []), []);
    }));

  it("goes on where another process was closed or killed", () =>
    withScratch(async ({ clock, open, path }) => {
      const keys = Array.from({ length: 60 }, (_, at) => `key:${at}`);
      for (const key of keys) await writeFirstForm(path, key, key, { clock });
      const disk = new FaultyDisk();
      const first = await open({}, disk);
      await first.close();
      const left = keys.filter((key) => existsSync(firstFormPath(path, key))).length;
      assert.ok(left > 0, "close() does not wait for all");
      const again = await open();
      for (const key of keys) assert.equal(await valueOf(again, key), key);
      assert.deepStrictEqual(await liveKeys(again, []), [...keys].sort());
    }));

  it("removes what is damaged, and leaves what is not its own", () =>
    withScratch(async ({ clock, open, path, reports }) => {
      for (const key of ["cut", "flipped", "later", "swapped", "whole"]) {
        await writeFirstForm(path, key, "value", { clock });
      }
      const at = (key: string): string => firstFormPath(path, key);
      writeFileSync(at("cut"), readFileSync(at("cut")).subarray(0, 70));
      const flipped = readFileSync(at("flipped"));
      flipped[66]! ^= 1;
      writeFileSync(at("flipped"), flipped);
      const later = readFileSync(at("later"));
      later[4] = 2;
      writeFileSync(at("later"), later);
      writeFileSync(at("swapped"), readFileSync(at("whole")));
      const notes = join(dirname(at("whole")), "notes.txt");
      writeFileSync(notes, "not of Strata");
      writeFileSync(join(path, "v1", "tmp", "0123456789abcdef-7.tmp"), "half");
      const backend = await open();
      assert.deepStrictEqual(await liveKeys(backend, []), ["whole"]);
      assert.equal(reports.filter(({ kind }) => kind === "corrupt").length, 4);
      const there = ["cut", "flipped", "later", "swapped", "whole"].filter((key) =>
        existsSync(at(key))
      );
      assert.deepStrictEqual(there, ["later"]);
      assert.deepStrictEqual([existsSync(notes), existsSync(join(path, "v1", "tmp"))], [
        true,
        false,
      ]);
    }));

  it("keeps to the limit while it moves, when the first form was full", () =>
    withScratch(async ({ clock, open, path, reports }) => {
      const maxBytes = 2 * 1024 * 1024;
      const keys: string[] = [];
      for (let at = 0; diskUsage(path) < maxBytes - 16 * 1024; at++) {
        keys.push(`key:${at}`);
        const value = new Uint8Array(at % 10 === 0 ? 20_000 : 2000).fill(at);
        await writeFirstForm(path, `key:${at}`, value, { clock });
      }
      const disk = new FaultyDisk();
      disk.after = (call) => {
        if (!["unlink", "write"].includes(call)) return;
        const bytes = diskUsage(path);
        assert.ok(bytes <= maxBytes, `${bytes} bytes after ${call}`);
      };
      const backend = await open({ maxBytes, maxInlineBytes: "8KB" }, disk);
      const live = await liveKeys(backend, []);
      for (const key of live) {
        const at = Number(key.slice(4));
        const value = await valueOf(backend, key) as Uint8Array;
        assert.ok(value.every((byte) => byte === (at & 255)));
      }
      await backend.close();
      assert.ok(diskUsage(path) <= maxBytes);
      assert.ok(live.length >= keys.length / 3, `${live.length} of ${keys.length} are left`);
      assert.deepStrictEqual(reports.filter(({ kind }) => kind !== "evict"), []);
    }));
});
