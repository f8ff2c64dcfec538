import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { isCacheError } from "../../../src/errors.ts";
import { valueOf } from "../../backend_suite/harness.ts";
import { entryOf } from "../../fakes/entries.ts";
import { FaultyDisk, systemError } from "../../fakes/faulty_disk.ts";
import { eventually } from "../../servers/eventually.ts";
import { mountTmpfs } from "./log/helpers.ts";
import { withScratch } from "./scratch.ts";

const LARGE = Uint8Array.from({ length: 100_000 }, (_, at) => at % 251);

describe("FilesystemBackend on a disk in trouble", () => {
  for (const code of ["EMFILE", "EIO", "EACCES", "ENOMEM"]) {
    for (const failing of ["openToRead", "read"] as const) {
      it(`get() misses, tells and removes nothing when ${failing} fails with ${code}`, () =>
        withScratch(async ({ clock, open, largeFiles, reports }) => {
          const disk = new FaultyDisk();
          const backend = await open({}, disk);
          await backend.set("key", entryOf("key", LARGE, { clock }));
          disk.before = (call) => {
            if (call === failing) throw systemError(code);
          };
          assert.equal(await backend.get("key"), undefined);
          assert.deepStrictEqual(await backend.getMany(["key", "none"]), [undefined, undefined]);
          assert.ok(reports.every(({ kind, key }) => kind === "error" && key === "key"));
          assert.equal(reports.length, 2);
          assert.equal(largeFiles().length, 1);
          assert.equal(disk.openFiles, 0);
          disk.before = () => {};
          assert.deepStrictEqual(await valueOf(backend, "key"), LARGE);
        }));
    }
  }

  for (const failing of ["openToWrite", "write", "sync"] as const) {
    it(`set() rejects, leaves no file and no older value behind when ${failing} fails`, () =>
      withScratch(async ({ clock, open, largeFiles }) => {
        const disk = new FaultyDisk();
        const backend = await open({ durability: "segment", maxBytes: "4MB" }, disk);
        await backend.set("key", entryOf("key", "old", { clock }));
        disk.before = (call) => {
          if (call === failing) throw systemError("EIO");
        };
        await assert.rejects(
          backend.set("key", entryOf("key", LARGE, { clock })),
          (error) => isCacheError(error, "backend") && error.key === "key",
        );
        assert.equal(await backend.get("key"), undefined);
        assert.deepStrictEqual(largeFiles(), []);
        assert.equal(disk.openFiles, 0);
        disk.before = () => {};
        await eventually(
          "a probe finds that the disk takes writes again",
          () => backend.set("key", entryOf("key", LARGE, { clock })),
        );
        assert.deepStrictEqual(await valueOf(backend, "key"), LARGE);
      }));
  }

  it("set() lets others go when the disk is full, and is stored", () =>
    withScratch(async ({ clock, open, largeFiles }) => {
      const disk = new FaultyDisk();
      const backend = await open({ maxBytes: "16MB" }, disk);
      for (let at = 0; at < 40; at++) {
        const value = new Uint8Array(2000);
        await backend.set(`small:${at}`, entryOf(`small:${at}`, value, { clock }));
      }
      // A disk with room for four, and the file that is being written.
      disk.before = (call) => {
        if (call === "write" && largeFiles().length > 4) throw systemError("ENOSPC");
      };
      for (let at = 0; at < 12; at++) {
        assert.equal(await backend.set(`key:${at}`, entryOf(`key:${at}`, LARGE, { clock })), true);
        assert.deepStrictEqual(await valueOf(backend, `key:${at}`), LARGE);
      }
      assert.equal(largeFiles().length, 4);
      assert.equal((await backend.getStats()).health, "healthy");
      assert.equal(disk.openFiles, 0);
    }));

  it("a large value is stored on a real disk that is full", () =>
    withScratch(async ({ clock, path, open, largeFiles }) => {
      // A file system of 4 MiB where this may be mounted; elsewhere a disk that says so.
      const isMounted = mountTmpfs(path, "4m");
      const disk = new FaultyDisk();
      if (!isMounted) {
        disk.before = (call) => {
          if (call === "write" && largeFiles().length > 30) throw systemError("ENOSPC");
        };
      }
      try {
        const backend = await open({ maxSizeMb: Infinity }, disk);
        for (let at = 0; at < 100; at++) {
          assert.equal(
            await backend.set(`key:${at}`, entryOf(`key:${at}`, LARGE, { clock })),
            true,
            `key:${at}`,
          );
          assert.deepStrictEqual(await valueOf(backend, `key:${at}`), LARGE);
        }
        assert.ok(largeFiles().length > 20);
        assert.equal((await backend.getStats()).health, "healthy");
        await backend.close();
      } finally {
        if (isMounted) execFileSync("umount", ["-l", path]);
      }
    }));

  it("reads of large values that fail count for the health of the disk", () =>
    withScratch(async ({ clock, open, reports }) => {
      const disk = new FaultyDisk();
      const backend = await open({}, disk);
      await backend.set("key", entryOf("key", LARGE, { clock }));
      disk.before = (call) => {
        if (call === "read") throw systemError("EIO");
      };
      for (let at = 0; at < 3; at++) assert.equal(await backend.get("key"), undefined);
      assert.equal((await backend.getStats()).health, "degraded");
      assert.ok(reports.some(({ error }) => /is degraded/.test(String(error))));
      disk.before = () => {};
      assert.deepStrictEqual(await valueOf(backend, "key"), LARGE, "reads go on");
    }));

  it("set() gives back the room of files that could not be written", () =>
    withScratch(async ({ clock, open }) => {
      const disk = new FaultyDisk();
      const backend = await open({ maxBytes: "2MB" }, disk);
      disk.before = (call) => {
        if (call === "write") throw systemError("ENOSPC");
      };
      for (let at = 0; at < 40; at++) {
        await assert.rejects(backend.set("key", entryOf("key", LARGE, { clock })));
      }
      disk.before = () => {};
      await eventually(
        "a probe finds that the disk takes writes again",
        () => backend.set("key", entryOf("key", LARGE, { clock })),
      );
      for (let at = 0; at < 8; at++) {
        assert.equal(await backend.set(`key:${at}`, entryOf(`key:${at}`, LARGE, { clock })), true);
      }
      assert.equal((await backend.getStats()).evictions, 0);
    }));

  it("writes and reads in several parts when the system does less than all", () =>
    withScratch(async ({ clock, open }) => {
      const disk = new FaultyDisk();
      const { write, read } = disk;
      disk.write = (fd, bytes, position) => write(fd, bytes.subarray(0, 10_000), position);
      disk.read = (fd, into, position) => read(fd, into.subarray(0, 7000), position);
      const backend = await open({}, disk);
      for (const key of ["key", "k".repeat(3000)]) {
        assert.equal(await backend.set(key, entryOf(key, LARGE, { clock })), true);
        assert.deepStrictEqual(await valueOf(backend, key), LARGE);
      }
    }));

  it("has at most 64 files open at once", () =>
    withScratch(async ({ clock, open }) => {
      const disk = new FaultyDisk();
      const backend = await open({ maxInlineBytes: 1 }, disk);
      const keys = Array.from({ length: 200 }, (_, at) => `key:${at}`);
      const stored = await backend.setMany(keys.map((key) => entryOf(key, key, { clock })));
      assert.ok(stored.every(Boolean));
      const read = await backend.getMany(keys);
      assert.deepStrictEqual(await Promise.all(read.map((entry) => entry?.value())), keys);
      assert.ok(disk.mostOpenFiles <= 64, `${disk.mostOpenFiles} files were open`);
      assert.equal(disk.openFiles, 0);
    }));

  it("makes the folder of large values again when it was taken away", () =>
    withScratch(async ({ clock, open, largeFiles }) => {
      const disk = new FaultyDisk();
      const backend = await open({}, disk);
      await backend.set("a", entryOf("a", LARGE, { clock }));
      let removed = false;
      disk.before = (call) => {
        if (call !== "openToWrite" || removed) return;
        removed = true;
        throw systemError("ENOENT");
      };
      assert.equal(await backend.set("b", entryOf("b", LARGE, { clock })), true);
      assert.equal(largeFiles().length, 2);
    }));
});
