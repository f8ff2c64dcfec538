import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, it } from "node:test";
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
    movesStreams: true,
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
    [
      { basePath: "file:///tmp/x" },
      `'basePath' must be a path of the file system: current value is "file:///tmp/x"`,
    ],
    [
      { basePath: "a\0b" },
      `'basePath' must be a path of the file system: current value is "a\\u0000b"`,
    ],
    [{ basepath: "x" }, `'basepath' is not known: did you mean "basePath"?`],
    [{ maxSizeMb: -3 }, "'maxSizeMb' must be a positive number: current value is -3"],
    [{ maxBytes: 4096 }, "limit must be at least 266240 bytes: current value is 4096"],
    [
      { maxInlineBytes: 0 },
      "'maxInlineBytes' must be a positive number of bytes: current value is 0",
    ],
    [
      { segmentBytes: 100 },
      "'segmentBytes' must be from 8192 to 134217216 bytes: current value is 100",
    ],
    [
      { io: "quick" },
      `'io' must be one of "auto", "sync", "async": current value is "quick"`,
    ],
    [{ maxEntries: 0 }, "'maxEntries' must be an integer of at least 1: current value is 0"],
    [
      { evictionPolicy: "lrv" },
      `'evictionPolicy' must be one of "auto", "lru", "fifo", "clock", "lfu", "sieve", "s3-fifo", "w-tiny-lfu": current value is "lrv": did you mean "lru"?`,
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
      await backend.flush();
      assert.ok(filesBelow(join(path, "there")).length > 0);
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
        await backend.close();
        assert.ok(filesBelow(join(inHome, "deep", "down")).length > 0);
      } finally {
        await rm(inHome, { recursive: true });
      }
      const backend = await open({ basePath: relative(".", path) });
      await backend.set("key", entryOf("key", 1));
      await backend.flush();
      assert.ok(filesBelow(path).length > 0);
    }));
});

describe("FilesystemBackend", () => {
  it("getStats() tells what is held and how the disk is", () =>
    withScratch(async ({ clock, path, open }) => {
      const backend = await open({ maxBytes: "8MB", maxEntries: 100 });
      for (let at = 0; at < 20; at++) {
        const value = new Uint8Array(at === 0 ? 100_000 : 1000);
        await backend.set(`key:${at}`, entryOf(`key:${at}`, value, { clock, ttlMs: 10 }));
      }
      await backend.flush();
      const { bytes, diskBytes, indexBytes, ...stats } = await backend.getStats();
      assert.deepStrictEqual(stats, {
        entries: 20,
        segments: 1,
        queuedBytes: 0,
        evictions: 0,
        expirations: 0,
        corruptions: 0,
        writeAmplification: 1,
        health: "healthy",
        isAsync: false,
        maxBytes: 8 * 1024 * 1024,
        maxEntries: 100,
      });
      assert.ok(bytes > 119_000 && bytes < 140_000, `${bytes} bytes are live`);
      assert.ok(diskBytes >= diskUsage(path) - 4096 && diskBytes <= 8 * 1024 * 1024);
      assert.ok(indexBytes > 0);
      clock.advance(10);
      assert.equal(await backend.get("key:0"), undefined);
      assert.equal((await backend.getStats()).expirations, 1);
    }));

  it("flush() and close() write what set() acknowledged", () =>
    withScratch(async ({ clock, path, open }) => {
      const writer = await open();
      await writer.set("flushed", entryOf("flushed", 1, { clock }));
      await writer.flush();
      const reader = await open();
      assert.equal(await valueOf(reader, "flushed"), 1);
      await writer.set("closed", entryOf("closed", 2, { clock }));
      await writer.close();
      await reader.refresh();
      assert.equal(await valueOf(reader, "closed"), 2);
      assert.ok(filesBelow(path).some((file) => file.endsWith(".hint")));
    }));

  it("set() in place of another is written when it resolves, a new one 2 ms later", () =>
    withScratch(async ({ clock, open }) => {
      const [writer, reader] = [await open(), await open()];
      await writer.set("key", entryOf("key", "old", { clock }));
      await reader.refresh();
      assert.equal(await reader.get("key"), undefined);
      clock.advance(2);
      // What the timer began goes on for some turns when the first segment is made.
      await writer.flush();
      await reader.refresh();
      assert.equal(await valueOf(reader, "key"), "old");
      await writer.set("key", entryOf("key", "new", { clock }));
      await reader.refresh();
      assert.equal(await valueOf(reader, "key"), "new");
    }));

  it("set() with durability batch is written when it resolves", () =>
    withScratch(async ({ clock, open }) => {
      const [writer, reader] = [await open({ durability: "batch" }), await open()];
      for (const value of ["small", new Uint8Array(100_000)]) {
        await writer.set("key", entryOf("key", value, { clock }));
        await reader.refresh();
        assert.deepStrictEqual(await valueOf(reader, "key"), value);
        await writer.delete("key");
        await reader.refresh();
        assert.equal(await reader.get("key"), undefined);
      }
    }));

  it("opens 2,000 entries again", () =>
    withScratch(async ({ clock, open }) => {
      const writer = await open();
      const keys = Array.from({ length: 2000 }, (_, at) => `key:${at}`);
      await writer.setMany(keys.map((key) => entryOf(key, key, { clock })));
      await writer.close();
      const reader = await open();
      assert.equal((await reader.getStats()).entries, 2000);
      const read = await reader.getMany(keys);
      assert.deepStrictEqual(await Promise.all(read.map((entry) => entry?.value())), keys);
    }));

  it("setMany() stores the others when one cannot be encoded", () =>
    withScratch(async ({ clock, open }) => {
      const backend = await open();
      const outcome = backend.setMany([
        entryOf("a", 1, { clock }),
        entryOf("b", () => {}, { clock }),
        entryOf("c", 3, { clock }),
      ]);
      await assert.rejects(outcome);
      assert.equal(await valueOf(backend, "a"), 1);
      assert.equal(await backend.get("b"), undefined);
      assert.equal(await valueOf(backend, "c"), 3);
    }));

  it("close() leaves no timer behind, and readNow() throws after it", () =>
    withScratch(async ({ clock, open }) => {
      const backend = await open();
      for (let at = 0; at < 300; at++) {
        await backend.set(`key:${at}`, entryOf(`key:${at}`, 1, { clock }));
        await backend.get(`key:${at}`);
      }
      await backend.close();
      assert.equal(clock.pendingTimers, 0);
      assert.throws(() => backend.readNow("key:1"), (error) => isCacheError(error, "closed"));
    }));
});
