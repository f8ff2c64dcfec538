import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { existsSync } from "node:fs";
import { valueOf } from "../../backend_suite/harness.ts";
import { entryOf } from "../../fakes/entries.ts";
import { eventually } from "../../servers/eventually.ts";
import { filesBelow, withScratch } from "./scratch.ts";

const VALUE = new Float32Array([1.5, -2.25, 1e10]);
/** Everything goes to files of its own. */
const FILES_ONLY = { maxInlineBytes: 1 } as const;

describe("FilesystemBackend with damaged files", () => {
  it("get() is a miss when any byte of a large value's file is flipped, and the next set mends it", () =>
    withScratch(async ({ clock, largeFiles, open, reports }) => {
      const backend = await open(FILES_ONLY);
      const entry = entryOf("key", VALUE, { clock, tags: ["t"] });
      await backend.set("other", entryOf("other", "unharmed", { clock }));
      // A file that was replaced goes in the background, so it may still be there.
      const seen = new Set(largeFiles());
      const fileOfKey = (): string => largeFiles().find((file) => !seen.has(file)) as string;
      await backend.set("key", entry);
      const { length } = await readFile(fileOfKey());
      for (let at = 0; at < length; at++) {
        const file = fileOfKey();
        seen.add(file);
        const damaged = readFileSync(file);
        damaged[at]! ^= 1 << (at % 8);
        writeFileSync(file, damaged);
        assert.equal(await backend.get("key"), undefined, `byte ${at} is covered by a checksum`);
        assert.equal(await backend.exists("key"), at === 4, "another version is left alone");
        await backend.set("key", entry);
      }
      assert.equal(reports.filter(({ kind }) => kind === "corrupt").length, length);
      assert.ok(reports.every(({ key }) => key === "key"));
      assert.equal((await backend.getStats()).corruptions, length);
      assert.equal(await valueOf(backend, "other"), "unharmed");
      assert.deepStrictEqual(await valueOf(backend, "key"), VALUE);
      await backend.close();
      assert.equal(largeFiles().length, 2, "damaged files are gone");
    }));

  it("get() is the exact value or a miss when any byte of a segment is flipped", () =>
    withScratch(async ({ clock, open, path }) => {
      const writer = await open();
      const keys = ["a", "b", "c"];
      for (const key of keys) await writer.set(key, entryOf(key, `value of ${key}`, { clock }));
      await writer.close();
      const segment = filesBelow(path).find((file) => file.endsWith(".seg")) as string;
      const hint = `${segment.slice(0, -4)}.hint`;
      const whole = readFileSync(segment);
      const hintBytes = readFileSync(hint);
      for (let at = 0; at < whole.length; at++) {
        for (const withHint of [true, false]) {
          const damaged = Uint8Array.from(whole);
          damaged[at]! ^= 1 << (at % 8);
          writeFileSync(segment, damaged);
          if (withHint) writeFileSync(hint, hintBytes);
          else rmSync(hint, { force: true });
          const backend = await open();
          let missing = 0;
          for (const key of keys) {
            const value = await valueOf(backend, key);
            if (value === undefined) missing++;
            else assert.equal(value, `value of ${key}`, `byte ${at}`);
          }
          assert.ok(missing <= 1 || at < 64, `byte ${at} costs ${missing} entries`);
          await backend.close();
          for (const file of filesBelow(path)) {
            if (file.endsWith(".seg") && file !== segment) rmSync(file);
            if (file.endsWith(".hint") && file !== hint) rmSync(file);
          }
        }
      }
    }));

  it("get() misses when a large value's file is cut at any length or gone", () =>
    withScratch(async ({ clock, largeFiles, open }) => {
      const backend = await open(FILES_ONLY);
      const entry = entryOf("key", VALUE, { clock });
      await backend.set("key", entry);
      const [file] = largeFiles();
      const { length } = await readFile(file as string);
      for (let end = -1; end < length; end++) {
        // The damaged one before it goes in the background.
        await eventually("one file", () => largeFiles().length === 1);
        const [current] = largeFiles() as [string];
        if (end < 0) await rm(current);
        else await writeFile(current, (await readFile(current)).subarray(0, end));
        assert.equal(await backend.get("key"), undefined, `get with ${end} bytes`);
        assert.equal(await backend.exists("key"), false);
        assert.equal(await backend.delete("key"), false);
        await backend.set("key", entry);
      }
      assert.deepStrictEqual(await valueOf(backend, "key"), VALUE);
    }));

  it("get() refuses the file of another key", () =>
    withScratch(async ({ clock, largeFiles, open, reports }) => {
      const backend = await open(FILES_ONLY);
      await backend.set("left", entryOf("left", "secret of left", { clock }));
      const [left] = largeFiles() as [string];
      await backend.set("fight", entryOf("fight", "secret of fight", { clock }));
      const right = largeFiles().find((file) => file !== left) as string;
      await writeFile(right, (await readFile(left)).subarray());
      assert.equal(await backend.get("fight"), undefined);
      assert.equal(reports.at(-1)?.kind, "corrupt");
      assert.equal(await valueOf(backend, "left"), "secret of left");
    }));

  it("get() leaves a file of a later format version where it is", () =>
    withScratch(async ({ clock, largeFiles, open, reports }) => {
      const backend = await open(FILES_ONLY);
      await backend.set("key", entryOf("key", VALUE, { clock }));
      const [file] = largeFiles() as [string];
      const later = await readFile(file);
      later[4] = 0xff;
      await writeFile(file, later);
      assert.equal(await backend.get("key"), undefined);
      assert.equal(reports.at(-1)?.kind, "corrupt");
      assert.equal((await backend.getStats()).corruptions, 1);
      assert.deepStrictEqual(await readFile(file), later);
    }));

  it("get() misses when a folder or a link stands where a file should", () =>
    withScratch(async ({ clock, largeFiles, open, path }) => {
      const backend = await open(FILES_ONLY);
      const outside = join(path, "outside");
      for (const kind of ["folder", "link"]) {
        await backend.set(kind, entryOf(kind, "mine", { clock }));
        const [file] = largeFiles() as [string];
        await writeFile(outside, await readFile(file));
        await rm(file);
        if (kind === "folder") await mkdir(file);
        else await symlink(outside, file);
        assert.equal(await backend.get(kind), undefined, kind);
        await rm(file, { recursive: true, force: true });
      }
      assert.equal(existsSync(outside), true);
    }));
});
