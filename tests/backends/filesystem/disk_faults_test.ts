import assert from "node:assert/strict";
import { rmdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { isCacheError } from "../../../src/errors.ts";
import { valueOf } from "../../backend_suite/harness.ts";
import { entryOf } from "../../fakes/entries.ts";
import { FaultyDisk, systemError } from "../../fakes/faulty_disk.ts";
import { filesBelow, withScratch } from "./scratch.ts";

describe("FilesystemBackend on a disk in trouble", () => {
  for (const code of ["EMFILE", "EIO", "EACCES", "ENOMEM"]) {
    for (const failing of ["openToRead", "read"] as const) {
      it(`get() rejects and removes nothing when ${failing} fails with ${code}`, () =>
        withScratch(async ({ clock, open, path }) => {
          const disk = new FaultyDisk();
          const backend = await open({}, disk);
          await backend.set("key", entryOf("key", "value", { clock }));
          disk.before = (call) => {
            if (call === failing) throw systemError(code);
          };
          for (
            const operate of [
              () => backend.get("key"),
              () => backend.exists("key"),
              () => backend.delete("key"),
              () => backend.clear("k*"),
            ]
          ) {
            await assert.rejects(
              operate,
              (error) => isCacheError(error, "backend") && error.backend === "filesystem",
            );
          }
          assert.equal(filesBelow(path).length, 1);
          assert.equal(disk.openFiles, 0);
          disk.before = () => {};
          assert.equal(await valueOf(backend, "key"), "value");
        }));
    }
  }

  for (const failing of ["openToWrite", "write", "rename"] as const) {
    it(`set() rejects, keeps the older value and leaves no file behind when ${failing} fails`, () =>
      withScratch(async ({ clock, open, path }) => {
        const disk = new FaultyDisk();
        const backend = await open({}, disk);
        await backend.set("key", entryOf("key", "old", { clock }));
        const { bytes } = await backend.getStats();
        disk.before = (call) => {
          if (call === failing) throw systemError("EIO");
        };
        await assert.rejects(
          backend.set("key", entryOf("key", "new", { clock })),
          (error) => isCacheError(error, "backend") && error.key === "key",
        );
        assert.equal(await valueOf(backend, "key"), "old");
        assert.equal(filesBelow(path).length, 1);
        assert.equal((await backend.getStats()).bytes, bytes);
        disk.before = () => {};
        assert.equal(await backend.set("key", entryOf("key", "new", { clock })), true);
        assert.equal(await valueOf(backend, "key"), "new");
      }));
  }

  it("set() writes in several parts when the system takes less than all", () =>
    withScratch(async ({ clock, open }) => {
      const disk = new FaultyDisk();
      const { write, read } = disk;
      disk.write = (fd, bytes, position) => write(fd, bytes.subarray(0, 1000), position);
      disk.read = (fd, into, position) => read(fd, into.subarray(0, 700), position);
      const backend = await open({}, disk);
      const value = Uint8Array.from({ length: 10_000 }, (_, at) => at % 251);
      for (const key of ["key", "k".repeat(3000)]) {
        assert.equal(await backend.set(key, entryOf(key, value, { clock })), true);
        assert.equal(await backend.exists(key), true);
        assert.deepStrictEqual(await valueOf(backend, key), value);
      }
    }));

  it("set() evicts and tries once more when the disk is full", () =>
    withScratch(async ({ clock, open }) => {
      const disk = new FaultyDisk();
      const backend = await open({}, disk);
      for (let at = 0; at < 10; at++) {
        await backend.set(`key:${at}`, entryOf(`key:${at}`, 1, { clock }));
      }
      let fullTimes = 1;
      disk.before = (call) => {
        if (call === "write" && fullTimes-- > 0) throw systemError("ENOSPC");
      };
      assert.equal(await backend.set("new", entryOf("new", 1, { clock })), true);
      const { evictions } = await backend.getStats();
      assert.ok(evictions as number > 0);
      assert.equal(await backend.exists("new"), true);
      fullTimes = Infinity;
      await assert.rejects(
        backend.set("late", entryOf("late", 1, { clock })),
        (error) => isCacheError(error, "backend") && error.message.includes("ENOSPC"),
      );
    }));

  it("set() starts over when its temporary file was swept up", () =>
    withScratch(async ({ clock, open }) => {
      const disk = new FaultyDisk();
      const backend = await open({}, disk);
      let sweeps = 2;
      disk.before = (call) => {
        if (call === "rename" && sweeps-- > 0) throw systemError("ENOENT");
      };
      assert.equal(await backend.set("key", entryOf("key", "value", { clock })), true);
      assert.equal(await valueOf(backend, "key"), "value");
    }));

  for (const call of ["makeDirectory", "status"] as const) {
    it(`set() stores although others remove the empty folder six times, right after ${call}`, () =>
      withScratch(async ({ clock, open, fileOf }) => {
        const folder = dirname(fileOf("key"));
        const disk = new FaultyDisk();
        const backend = await open({}, disk);
        await backend.getStats();
        let left = 6;
        disk.after = async (done, path) => {
          if (done !== call || path !== folder || left === 0) return;
          left--;
          await rmdir(folder);
        };
        assert.equal(await backend.set("key", entryOf("key", "value", { clock })), true);
        assert.equal(left, 0);
        assert.equal(await valueOf(backend, "key"), "value");
      }));
  }

  it("set() rejects when something else stands where the folder should be", () =>
    withScratch(async ({ clock, open, fileOf }) => {
      const backend = await open();
      await writeFile(dirname(fileOf("key")), "mine");
      await assert.rejects(
        backend.set("key", entryOf("key", "value", { clock })),
        (error) => isCacheError(error, "backend") && error.key === "key",
      );
      assert.equal(await valueOf(backend, "key"), undefined);
    }));

  it("get() of 1,000 keys at once opens 64 files at most", () =>
    withScratch(async ({ clock, open }) => {
      const disk = new FaultyDisk();
      const backend = await open({}, disk);
      const keys = Array.from({ length: 1000 }, (_, at) => `key:${at % 20}`);
      await Promise.all(keys.map((key) => backend.set(key, entryOf(key, key, { clock }))));
      const values = await Promise.all(keys.map((key) => valueOf(backend, key)));
      assert.deepStrictEqual(values, keys);
      assert.ok(disk.mostOpenFiles <= 64, `${disk.mostOpenFiles} files were open`);
      assert.equal(disk.openFiles, 0);
    }));

  it("get() of a file that another process replaced while it looked damaged leaves the new one", () =>
    withScratch(async ({ clock, open, fileOf, path }) => {
      const disk = new FaultyDisk();
      const [backend, other] = [await open({}, disk), await open()];
      await backend.set("key", entryOf("key", "old", { clock, ttlMs: 10 }));
      clock.advance(10);
      let replaced = false;
      disk.before = async (call) => {
        if (call !== "rename" || replaced) return;
        replaced = true;
        await other.set("key", entryOf("key", "new", { clock }));
      };
      assert.equal(await backend.get("key"), undefined);
      assert.equal(replaced, true);
      assert.deepStrictEqual(filesBelow(path), [fileOf("key")]);
      assert.equal(await valueOf(backend, "key"), "new");
    }));

  it("every operation ends with its signal when the disk hangs, and close() waits for the disk", () =>
    withScratch(async ({ clock, open }) => {
      const disk = new FaultyDisk();
      const backend = await open({}, disk);
      await backend.set("key", entryOf("key", "old", { clock }));
      const hang = Promise.withResolvers<void>();
      let waiting = 0;
      disk.before = () => {
        waiting++;
        return hang.promise;
      };
      const controller = new AbortController();
      const reason = new Error("long enough");
      const { signal } = controller;
      const running = [
        backend.get("key", { signal }),
        backend.set("key", entryOf("key", "new", { clock }), { signal }),
        backend.delete("key", { signal }),
        backend.exists("key", { signal }),
        backend.clear("*", { signal }),
      ];
      // get, set and exists wait for the disk; delete and clear for set.
      while (waiting < 3) await setImmediate();
      controller.abort(reason);
      for (const operation of running) {
        await assert.rejects(operation, (error) => error === reason);
      }
      let closed = false;
      const closing = backend.close().then(() => closed = true);
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      assert.equal(closed, false);
      hang.resolve();
      await closing;
      const again = await open();
      assert.equal(await valueOf(again, "key"), "old", "nothing that was given up was done");
    }));

  it("flush() syncs what was written since the last one, and only that", () =>
    withScratch(async ({ clock, open }) => {
      const disk = new FaultyDisk();
      const backend = await open({}, disk);
      for (const key of ["a", "b", "c"]) await backend.set(key, entryOf(key, 1, { clock }));
      assert.equal(disk.counts.get("sync"), undefined);
      await backend.flush();
      const syncs = disk.counts.get("sync") as number;
      assert.ok(syncs >= 3 + 2, "three files, their folders, and the folder of those");
      await backend.flush();
      assert.equal(disk.counts.get("sync"), syncs);
    }));

  it("set() with durability syncs the file before it is renamed, and its folder after", () =>
    withScratch(async ({ clock, open }) => {
      const disk = new FaultyDisk();
      const backend = await open({ durability: "batch" }, disk);
      await backend.set("key", entryOf("key", 1, { clock }));
      const calls: string[] = [];
      disk.after = (call) => void calls.push(call);
      await backend.set("key", entryOf("key", 2, { clock }));
      assert.deepStrictEqual(
        calls.filter((call) => ["write", "sync", "rename"].includes(call)),
        ["write", "sync", "rename", "sync", "sync"],
      );
    }));

  it("goes on when the first look at the directory fails, and tells of it", () =>
    withScratch(async ({ clock, open, reports }) => {
      const disk = new FaultyDisk();
      disk.before = (call) => {
        if (call === "list") throw systemError("EIO");
      };
      const backend = await open({}, disk);
      assert.equal(await backend.set("key", entryOf("key", 1, { clock })), true);
      assert.deepStrictEqual(reports.map(({ kind }) => kind), ["error"]);
    }));
});
