import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createFilesystemBackend, type FilesystemConfig } from "../../backends/filesystem.ts";
import { isCacheError } from "../../src/errors.ts";
import type { CacheBackend } from "../../src/types.ts";
import { backendSuite } from "../backend_suite.ts";
import { valueOf } from "../backend_suite/harness.ts";
import { entryOf } from "../fakes/entries.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { FaultyDisk } from "../fakes/faulty_disk.ts";
import { diskUsage, filesBelow, withScratch } from "./filesystem/scratch.ts";

const directories = new WeakMap<CacheBackend, string>();

const VARIANTS: readonly Partial<FilesystemConfig>[] = [
  {},
  { evictionPolicy: "fifo" },
  { evictionPolicy: "lfu" },
  { evictionPolicy: "s3-fifo" },
  { maxInlineBytes: 1 },
  { durability: "batch" },
  { durability: "segment", io: "async", maxInlineBytes: "2KB" },
];

for (const variant of VARIANTS) {
  backendSuite(`FilesystemBackend ${JSON.stringify(variant)}`, async (context) => {
    const basePath = await mkdtemp(join(tmpdir(), "strata-suite-"));
    const backend = await createFilesystemBackend(
      { type: "filesystem", basePath, ...variant },
      context,
    );
    directories.set(backend, basePath);
    return backend;
  }, {
    reopen: (closed, context) =>
      createFilesystemBackend({ basePath: directories.get(closed), ...variant }, context),
    dispose: (closed) => rm(directories.get(closed) as string, { recursive: true }),
  });
}

describe("createFilesystemBackend()", () => {
  const context = { clock: new FakeClock(), report: () => {} };
  const wrong: readonly [config: Record<string, unknown>, message: string][] = [
    [{}, "'basePath' must be given: it is the directory for its files"],
    [{ basePath: "" }, `'basePath' must be a non-empty string: current value is ""`],
    [{ basePath: 7 }, "'basePath' must be a non-empty string: current value is 7"],
    [{ basepath: "x" }, `'basepath' is not known: did you mean "basePath"?`],
    [{ maxSizeMb: -3 }, "'maxSizeMb' must be a positive number: current value is -3"],
    [{ maxBytes: 4096 }, "limit must be at least 65536 bytes: current value is 4096"],
    [{ maxEntries: 0 }, "'maxEntries' must be an integer of at least 1: current value is 0"],
    [
      { evictionPolicy: "lrv" },
      `'evictionPolicy' must be one of "lru", "fifo", "lfu", "s3-fifo": current value is "lrv": did you mean "lru"?`,
    ],
    [
      { durability: true },
      `'durability' must be one of "none", "segment", "batch": current value is true`,
    ],
  ];
  for (const [config, message] of wrong) {
    it(`refuses ${JSON.stringify(config)}`, async () => {
      const whole = Object.hasOwn(config, "basePath") || Object.keys(config).length === 0
        ? config
        : { basePath: join(tmpdir(), "strata-never-made"), ...config };
      await assert.rejects(
        async () => await createFilesystemBackend(whole, context),
        (error) =>
          (error instanceof TypeError || error instanceof RangeError) &&
          error.message === `Cannot open filesystem backend: ${message}`,
      );
    });
  }

  it("says which path cannot be used, and why, when a file is in its way", () =>
    withScratch(async ({ path, open }) => {
      const file = join(path, "file");
      await writeFile(file, "mine");
      for (const basePath of [file, join(file, "below")]) {
        await assert.rejects(
          open({ basePath }),
          (error) =>
            isCacheError(error, "unavailable") && error.message.includes(`"${basePath}"`) &&
            error.message.includes("give another 'basePath'"),
        );
      }
      assert.deepStrictEqual(filesBelow(path), [file]);
    }));

  it("says that a directory cannot be written when the system refuses", () =>
    withScratch(async ({ open }) => {
      const disk = new FaultyDisk();
      disk.before = (call) => {
        if (call === "openToWrite") throw Object.assign(new Error("no"), { code: "EACCES" });
      };
      await assert.rejects(
        open({}, disk),
        (error) => isCacheError(error, "unavailable") && error.message.includes("(EACCES)"),
      );
    }));

  it("gives up below a directory that is there and has no room for names", async () => {
    // On Linux the system says ENOENT in /proc for whatever is to be made there.
    await assert.rejects(
      async () => await createFilesystemBackend({ basePath: "/proc/strata/cache" }, context),
      (error) => isCacheError(error, "unavailable"),
    );
  });

  it("opens a directory that a symbolic link leads to, and no link that leads nowhere", () =>
    withScratch(async ({ path, open }) => {
      await mkdir(join(path, "there"));
      await symlink(join(path, "there"), join(path, "link"));
      const backend = await open({ basePath: join(path, "link") });
      await backend.set("key", entryOf("key", 1));
      assert.equal(filesBelow(join(path, "there")).length, 1);
      await symlink(join(path, "nowhere"), join(path, "dangling"));
      await assert.rejects(
        open({ basePath: join(path, "dangling", "below") }),
        (error) => isCacheError(error, "unavailable"),
      );
    }));

  it("resolves relative paths and those that begin with ~", () =>
    withScratch(async ({ path, open }) => {
      const inHome = await mkdtemp(join(homedir(), ".strata-test-"));
      try {
        const backend = await open({ basePath: `~/${relative(homedir(), inHome)}/deep/down` });
        await backend.set("key", entryOf("key", 1));
        assert.equal(filesBelow(join(inHome, "deep", "down")).length, 1);
      } finally {
        await rm(inHome, { recursive: true });
      }
      const backend = await open({ basePath: relative(".", path) });
      await backend.set("key", entryOf("key", 1));
      assert.equal(filesBelow(path).length, 1);
    }));
});

describe("FilesystemBackend", () => {
  it("get() sees what another backend over the directory wrote and deleted", () =>
    withScratch(async ({ clock, open }) => {
      const [left, right] = [await open(), await open()];
      await left.set("key", entryOf("key", "of left", { clock }));
      assert.equal(await valueOf(right, "key"), "of left");
      await right.set("key", entryOf("key", "of right", { clock, ttlMs: 10 }));
      assert.equal(await valueOf(left, "key"), "of right");
      assert.equal(await right.delete("key"), true);
      assert.equal(await left.get("key"), undefined);
      assert.equal(await left.exists("key"), false);
      await left.set("key", entryOf("key", "again", { clock }));
      assert.equal(await right.clear("k*"), 1);
      assert.equal(await left.get("key"), undefined);
    }));

  it("get() reads a longer or shorter value that another backend put in place", () =>
    withScratch(async ({ clock, open }) => {
      const [left, right] = [await open(), await open()];
      for (const length of [10, 100_000, 0, 20_000, 5]) {
        const value = new Uint8Array(length).fill(length % 250);
        await left.set("key", entryOf("key", value, { clock }));
        assert.deepStrictEqual(await valueOf(right, "key"), value);
        assert.equal(
          (await (await right.get("key"))?.encode())?.length,
          64 + Math.ceil(length / 4) * 4 + 3,
        );
      }
    }));

  it("delete() keeps to the times that another backend gave", () =>
    withScratch(async ({ clock, open }) => {
      const [left, right] = [await open(), await open()];
      await left.set("key", entryOf("key", 1, { clock, ttlMs: 10 }));
      await right.set("key", entryOf("key", 2, { clock }));
      clock.advance(10);
      assert.equal(await left.delete("key"), true);
    }));

  it("refresh() counts what other backends wrote and deleted, and drops what is over", () =>
    withScratch(async ({ clock, open }) => {
      const [left, right] = [await open(), await open()];
      for (let at = 0; at < 20; at++) {
        const ttlMs = at < 5 ? 10 : Infinity;
        await left.set(`key:${at}`, entryOf(`key:${at}`, at, { clock, ttlMs }));
      }
      await right.refresh();
      assert.equal((await right.getStats()).entries, 20);
      await left.delete("key:19");
      clock.advance(10);
      await right.refresh();
      assert.equal((await right.getStats()).entries, 14);
      assert.equal((await right.getStats()).expirations, 5);
      await left.refresh();
      assert.equal((await left.getStats()).entries, 14);
      assert.equal((await left.getStats()).bytes, (await right.getStats()).bytes);
    }));

  it("keeps the file of an entry that is over for as long as it may be served stale", () =>
    withScratch(async ({ clock, path, open }) => {
      const backend = await open();
      await backend.set("key", entryOf("key", 1, { clock, ttlMs: 10, staleMs: 10 }));
      clock.advance(19);
      assert.equal(await backend.get("key"), undefined);
      await backend.refresh();
      assert.equal(filesBelow(path).length, 1);
      clock.advance(1);
      assert.equal(await backend.get("key"), undefined);
      assert.deepStrictEqual(filesBelow(path), []);
      assert.equal((await backend.getStats()).expirations, 1);
    }));

  it("sweeps what is over shard by shard as time goes by", () =>
    withScratch(async ({ clock, path, open }) => {
      const writer = await open();
      for (let at = 0; at < 8; at++) {
        await writer.set(`key:${at}`, entryOf(`key:${at}`, at, { clock, ttlMs: 1000 }));
      }
      await writer.close();
      const disk = new FaultyDisk();
      const backend = await open({}, disk);
      await backend.getStats();
      clock.advance(1000);
      for (let round = 0; round < 256; round++) {
        while (clock.pendingTimers === 0) await setImmediate();
        clock.advance(5000);
      }
      while (clock.pendingTimers === 0) await setImmediate();
      assert.deepStrictEqual(filesBelow(path), []);
      assert.equal((await backend.getStats()).expirations, 8);
      assert.ok(disk.bytesRead < 8 * 1024, "each entry is looked at once or twice");
    }));

  it("opens 2,000 entries without reading a byte of them", () =>
    withScratch(async ({ clock, open, path }) => {
      const writer = await open();
      const value = new Uint8Array(100);
      await Promise.all(
        Array.from(
          { length: 2000 },
          (_, at) => writer.set(`key:${at}`, entryOf(`key:${at}`, value, { clock })),
        ),
      );
      await writer.close();
      const disk = new FaultyDisk();
      const reader = await open({}, disk);
      const after = await reader.getStats();
      assert.equal(after.entries, 2000);
      assert.ok(after.bytes as number >= diskUsage(path), `${after.bytes} bytes are what du says`);
      assert.equal(disk.bytesRead, 0);
      assert.equal(disk.counts.get("openToRead"), undefined);
      assert.deepStrictEqual(await valueOf(reader, "key:1234"), value);
    }));

  it("removes temporary files of dead writers, and no other files", () =>
    withScratch(async ({ clock, path, open }) => {
      const backend = await open();
      await backend.close();
      const folder = join(path, "v1", "tmp");
      const old = new Date(clock.now() - 2 * 3_600_000);
      const young = new Date(clock.now() - 60_000);
      const names = {
        dead: "0123456789abcdef-7.tmp",
        alive: "0123456789abcdef-8.tmp",
        foreign: "notes.tmp",
      };
      for (const name of Object.values(names)) await writeFile(join(folder, name), "half");
      await utimes(join(folder, names.dead), old, old);
      await utimes(join(folder, names.alive), young, young);
      await utimes(join(folder, names.foreign), old, old);
      await (await open()).getStats();
      assert.deepStrictEqual(
        filesBelow(path).sort(),
        [names.alive, names.foreign].map((name) => join(folder, name)).sort(),
      );
    }));

  it("close() leaves no timer, and getStats() before it no file behind", () =>
    withScratch(async ({ clock, path, open }) => {
      const backend = await open();
      await backend.getStats();
      assert.equal(clock.pendingTimers, 1);
      await backend.close();
      assert.equal(clock.pendingTimers, 0);
      assert.deepStrictEqual(filesBelow(path), []);
    }));
});
