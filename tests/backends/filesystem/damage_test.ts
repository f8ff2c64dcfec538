import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, rename, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { existsSync } from "node:fs";
import { valueOf } from "../../backend_suite/harness.ts";
import { entryOf } from "../../fakes/entries.ts";
import { FaultyDisk } from "../../fakes/faulty_disk.ts";
import { filesBelow, withScratch } from "./scratch.ts";

const VALUE = new Float32Array([1.5, -2.25, 1e10]);

/** Puts bytes where an entry should be, also when its folder went with the last one. */
async function plant(file: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, bytes);
}

describe("FilesystemBackend with damaged files", () => {
  it("get() is the exact value or a miss when any byte of a file is flipped", () =>
    withScratch(async ({ clock, fileOf, open, reports }) => {
      const backend = await open();
      const entry = entryOf("key", VALUE, { clock, tags: ["t"] });
      await backend.set("other", entryOf("other", "unharmed", { clock }));
      await backend.set("key", entry);
      const file = fileOf("key");
      const whole = await readFile(file);
      for (let at = 0; at < whole.length; at++) {
        const damaged = Uint8Array.from(whole);
        damaged[at]! ^= 1 << (at % 8);
        await plant(file, damaged);
        const read = await backend.get("key");
        assert.equal(read, undefined, `byte ${at} is covered by a checksum`);
      }
      assert.equal(reports.filter(({ kind }) => kind === "corrupt").length, whole.length);
      assert.ok(reports.every(({ key }) => key === "key"));
      assert.equal((await backend.getStats()).corruptions, whole.length);
      assert.equal(await valueOf(backend, "other"), "unharmed");
      await backend.set("key", entry);
      assert.deepStrictEqual(await valueOf(backend, "key"), VALUE);
    }));

  it("get() misses and the file goes when it is cut at any length", () =>
    withScratch(async ({ clock, fileOf, open }) => {
      const backend = await open();
      await backend.set("key", entryOf("key", VALUE, { clock }));
      const file = fileOf("key");
      const whole = await readFile(file);
      for (let length = 0; length < whole.length; length++) {
        await plant(file, whole.subarray(0, length));
        assert.equal(await backend.exists("key"), false, `exists with ${length} bytes`);
        assert.equal(await backend.get("key"), undefined, `get with ${length} bytes`);
        assert.equal(existsSync(file), false);
      }
    }));

  it("get() reads no more than the entry when its file has grown to a gigabyte", () =>
    withScratch(async ({ clock, fileOf, open }) => {
      const writer = await open();
      await writer.set("key", entryOf("key", VALUE, { clock }));
      await truncate(fileOf("key"), 2 ** 30);
      const disk = new FaultyDisk();
      const backend = await open({}, disk);
      // Until then the length of the file is not known.
      await backend.getStats();
      assert.deepStrictEqual(await valueOf(backend, "key"), VALUE);
      assert.ok(disk.bytesRead <= 2 ** 20, `${disk.bytesRead} bytes were read`);
    }));

  it("get() is the exact value of an entry larger than what is read at first", () =>
    withScratch(async ({ clock, open }) => {
      const large = Uint8Array.from({ length: 2_500_000 }, (_, at) => at * 31);
      const backend = await open();
      await backend.set("key", entryOf("key", large, { clock }));
      assert.deepStrictEqual(await valueOf(backend, "key"), large);
    }));

  it("get() refuses the entry of another key, and takes that file away", () =>
    withScratch(async ({ clock, fileOf, open, reports }) => {
      const backend = await open();
      await backend.set("left", entryOf("left", "secret of left", { clock }));
      await backend.set("right", entryOf("right", 1, { clock }));
      await writeFile(fileOf("right"), await readFile(fileOf("left")));
      assert.equal(await backend.exists("right"), false);
      const listed = [];
      for await (const key of backend.keys()) listed.push(key);
      assert.deepStrictEqual(listed, ["left"]);
      assert.equal(await backend.get("right"), undefined);
      assert.equal(reports.at(-1)?.kind, "corrupt");
      assert.equal(existsSync(fileOf("right")), false);
      assert.equal(await valueOf(backend, "left"), "secret of left");
    }));

  it("get() leaves a file of a later format version where it is", () =>
    withScratch(async ({ clock, fileOf, open, reports }) => {
      const backend = await open();
      await backend.set("key", entryOf("key", VALUE, { clock }));
      const later = await readFile(fileOf("key"));
      later[4] = 2;
      await writeFile(fileOf("key"), later);
      assert.equal(await backend.get("key"), undefined);
      assert.equal(reports.at(-1)?.kind, "corrupt");
      assert.deepStrictEqual(await readFile(fileOf("key")), later);
    }));

  it("get() misses, and nothing is touched, when no file stands where an entry should", () =>
    withScratch(async ({ clock, fileOf, open, path }) => {
      const backend = await open();
      for (const key of ["directory", "link", "pipe"]) {
        await backend.set(key, entryOf(key, 1, { clock }));
        await rm(fileOf(key));
      }
      await backend.set("target", entryOf("target", 1, { clock }));
      await mkdir(fileOf("directory"));
      await symlink(fileOf("target"), fileOf("link"));
      execFileSync("mkfifo", [fileOf("pipe")]);
      for (const key of ["directory", "link", "pipe"]) {
        assert.equal(await backend.get(key), undefined, key);
        assert.equal(await backend.exists(key), false, key);
        assert.equal(await backend.delete(key), false, key);
      }
      await backend.refresh();
      assert.equal((await backend.getStats()).entries, 1);
      assert.equal(await backend.clear(), 1);
      assert.deepStrictEqual(filesBelow(path).sort(), [fileOf("link"), fileOf("pipe")].sort());
      assert.ok((await stat(fileOf("directory"))).isDirectory());
    }));

  it("get() does not follow a shard that is a link out of the directory", () =>
    withScratch(async ({ clock, fileOf, open, path }) => {
      const writer = await open();
      await writer.set("key", entryOf("key", 1, { clock }));
      await writer.close();
      const outside = join(path, "outside");
      await rename(dirname(fileOf("key")), outside);
      await symlink(outside, dirname(fileOf("key")));
      const backend = await open();
      assert.equal(await backend.get("key"), undefined);
      assert.equal(await backend.clear(), 0);
      await assert.rejects(backend.set("key", entryOf("key", 2, { clock })));
      assert.equal(filesBelow(outside).length, 1);
    }));

  it("clear() and refresh() leave files and folders that are not Strata's", () =>
    withScratch(async ({ clock, fileOf, open, path }) => {
      const backend = await open();
      await backend.set("key", entryOf("key", 1, { clock }));
      const shard = dirname(fileOf("key"));
      const foreign = [
        join(path, "README"),
        join(path, "v2", "ab", "0".repeat(62) + ".entry"),
        join(path, "v1", "notes.txt"),
        join(path, "v1", "zz", "0".repeat(62) + ".entry"),
        join(shard, "notes.entry"),
        join(shard, "0".repeat(61) + "G.entry"),
        join(shard, "0".repeat(62)),
        join(path, "v1", "tmp", "mine"),
      ];
      for (const file of foreign) {
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, "not of Strata");
      }
      await backend.refresh();
      assert.equal((await backend.getStats()).entries, 1);
      assert.equal(await backend.clear(), 1);
      await backend.close();
      await (await open()).getStats();
      assert.deepStrictEqual(filesBelow(path).sort(), [...foreign].sort());
    }));

  it("works on when the whole directory is taken away", () =>
    withScratch(async ({ clock, open, path }) => {
      const backend = await open();
      await backend.set("a", entryOf("a", 1, { clock }));
      await rm(join(path, "v1"), { recursive: true });
      assert.equal(await backend.get("a"), undefined);
      assert.equal(await backend.delete("a"), false);
      assert.equal(await backend.set("b", entryOf("b", 2, { clock })), true);
      assert.equal(await valueOf(backend, "b"), 2);
      await backend.refresh();
      assert.equal((await backend.getStats()).entries, 1);
    }));
});
