import assert from "node:assert/strict";
import { existsSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { systemClock } from "../../../src/clock.ts";
import { valueOf } from "../../backend_suite/harness.ts";
import { entryOf } from "../../fakes/entries.ts";
import { FaultyDisk } from "../../fakes/faulty_disk.ts";
import { eventually } from "../../servers/eventually.ts";
import { withScratch } from "./scratch.ts";

const LARGE = Uint8Array.from({ length: 100_000 }, (_, at) => at % 251);

/** A gate in front of one call of the disk. */
function gate(disk: FaultyDisk, gated: string): { open: () => void; reached: Promise<void> } {
  const passed = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  disk.before = async (call) => {
    if (call !== gated) return;
    reached.resolve();
    await passed.promise;
  };
  return {
    reached: reached.promise,
    open: () => {
      disk.before = () => {};
      passed.resolve();
    },
  };
}

describe("FilesystemBackend with large values", () => {
  it("keeps small values in the log and large ones in a file each", () =>
    withScratch(async ({ clock, open, largeFiles }) => {
      const backend = await open({ maxInlineBytes: "16KB" });
      await backend.set("small", entryOf("small", LARGE.slice(0, 16_000), { clock }));
      assert.equal(largeFiles().length, 0);
      await backend.set("large", entryOf("large", LARGE.slice(0, 17_000), { clock }));
      assert.equal(largeFiles().length, 1);
      assert.equal(await (backend.readNow("small") as { key: string }).key, "small");
      assert.equal(backend.readNow("large"), "wait");
      assert.equal(backend.readNow("none"), undefined);
      assert.deepStrictEqual(await valueOf(backend, "large"), LARGE.slice(0, 17_000));
    }));

  it("readNow() says wait when reads are asynchronous", () =>
    withScratch(async ({ clock, open }) => {
      const backend = await open({ io: "async" });
      await backend.set("key", entryOf("key", 1, { clock }));
      assert.equal(backend.readNow("key"), "wait");
      assert.equal((await backend.getStats()).isAsync, true);
      assert.equal(await valueOf(backend, "key"), 1);
    }));

  it("removes files that nothing refers to while it is open, once they are old", () =>
    withScratch(async ({ clock, open, largeFiles }) => {
      const backend = await open();
      await backend.set("key", entryOf("key", LARGE, { clock }));
      const [known] = largeFiles();
      // What a process leaves that replaced a value while another one did.
      const left = join(
        dirname(known!),
        basename(known!).replace(/^./, (first) => first === "0" ? "1" : "0"),
      );
      writeFileSync(left, LARGE);
      utimesSync(left, clock.now() / 1000, clock.now() / 1000);
      assert.equal(largeFiles().length, 2);
      clock.advance(601_000);
      await eventually("the file is gone", () => largeFiles().length === 1);
      assert.deepStrictEqual(await valueOf(backend, "key"), LARGE);
    }));

  it("removes the file when its value is replaced, deleted, cleared or over", () =>
    withScratch(async ({ clock, open, largeFiles }) => {
      const backend = await open();
      const fill = async (): Promise<void> => {
        await backend.set("key", entryOf("key", LARGE, { clock, ttlMs: 10 }));
        assert.equal(largeFiles().length, 1);
      };
      const ends: readonly (() => Promise<unknown>)[] = [
        () => backend.set("key", entryOf("key", "small", { clock })),
        () => backend.delete("key"),
        () => backend.clear("k*"),
        () => backend.clear(),
        async () => {
          clock.advance(10);
          assert.equal(await backend.get("key"), undefined);
        },
      ];
      for (const end of ends) {
        await fill();
        await end();
        await backend.flush();
        while (largeFiles().length > 0) await setImmediate();
      }
    }));

  it("the change that began last is what stays, whatever is written first", () =>
    withScratch(async ({ clock, open, largeFiles }) => {
      const disk = new FaultyDisk();
      const backend = await open({}, disk);
      const changes: readonly [() => Promise<unknown>, unknown][] = [
        [() => backend.set("key", entryOf("key", "small", { clock })), "small"],
        [() => backend.delete("key"), undefined],
        [() => backend.clear(), undefined],
        [() => backend.clear("k*"), undefined],
        [() => backend.deleteMany(["key"]), undefined],
      ];
      for (const [change, expected] of changes) {
        const { open: letGo, reached } = gate(disk, "write");
        const large = backend.set("key", entryOf("key", LARGE, { clock }));
        await reached;
        const changed = change();
        letGo();
        assert.equal(await large, true);
        assert.ok([true, 1].includes(await changed as boolean | number));
        assert.equal(await valueOf(backend, "key"), expected);
        await backend.delete("key");
      }
      await backend.close();
      assert.deepStrictEqual(largeFiles(), []);
    }));

  it("get() reads the newer value when its file is replaced underneath", () =>
    withScratch(async ({ clock, open, largeFiles }) => {
      const disk = new FaultyDisk();
      const [backend, other] = [await open({}, disk), await open()];
      await backend.set("key", entryOf("key", LARGE, { clock }));
      for (const writer of [backend, other]) {
        const { open: letGo, reached } = gate(disk, "openToRead");
        const reading = backend.get("key");
        await reached;
        const next = LARGE.slice(writer === other ? 20_000 : 10_000);
        await writer.refresh();
        await writer.set("key", entryOf("key", next, { clock }));
        await writer.flush();
        await writer.refresh();
        await eventually("the replaced file is gone", () => largeFiles().length === 1);
        letGo();
        assert.deepStrictEqual(await (await reading)?.value(), next);
      }
      assert.equal((await backend.getStats()).corruptions, 0);
    }));

  it("what two processes set at the same time leaves one file, and nothing has to make room", () =>
    withScratch(async ({ open, largeFiles }) => {
      const limit = { maxBytes: "8MB" };
      // They wait for each other's locks, which takes time of the world.
      const both = [
        await open(limit, undefined, systemClock),
        await open(limit, undefined, systemClock),
      ] as const;
      for (let round = 0; round < 100; round++) {
        await Promise.all(
          both.map((each, at) =>
            each.set("key", entryOf("key", LARGE.slice(at), { clock: systemClock }))
          ),
        );
        for (const each of both) await each.flush();
        for (const each of both) await each.refresh();
        await eventually("the file that lost is gone", () => largeFiles().length === 1);
        const [one, other] = await Promise.all(both.map((each) => valueOf(each, "key")));
        assert.ok(one !== undefined);
        assert.deepStrictEqual(one, other);
      }
      for (const each of both) assert.equal((await each.getStats()).evictions, 0);
    }));

  it("removes old files that nothing refers to when it opens, and no others", () =>
    withScratch(async ({ clock, open, largeFiles }) => {
      const writer = await open({ maxBytes: "2MB" });
      await writer.set("key", entryOf("key", LARGE, { clock }));
      await writer.close();
      const [kept] = largeFiles() as [string];
      const folder = dirname(kept);
      const names = {
        orphan: `${"0".repeat(32)}.value`,
        young: `${"1".repeat(32)}.value`,
        foreign: "notes.txt",
      };
      const old = new Date(clock.now() - 61_000);
      const young = new Date(clock.now() - 30_000);
      for (const name of Object.values(names)) writeFileSync(join(folder, name), LARGE);
      for (const name of [names.orphan, names.foreign, basename(kept)]) {
        utimesSync(join(folder, name), old, old);
      }
      utimesSync(join(folder, names.young), young, young);
      const backend = await open({ maxBytes: "2MB" });
      const before = (await backend.getStats()).diskBytes;
      await backend.close();
      assert.deepStrictEqual(
        largeFiles().sort(),
        [kept, join(folder, names.young)].sort(),
      );
      const after = await open({ maxBytes: "2MB" });
      while (clock.pendingTimers === 0) await setImmediate();
      clock.advance(60_000);
      while (largeFiles().length > 1) await setImmediate();
      assert.deepStrictEqual(largeFiles(), [kept]);
      assert.ok((await after.getStats()).diskBytes < before);
      assert.deepStrictEqual(await valueOf(after, "key"), LARGE);
      assert.deepStrictEqual(await valueOf(after, "key"), LARGE);
    }));

  it("leaves what it does not know below its base path", () =>
    withScratch(async ({ clock, open, path }) => {
      mkdirSync(join(path, "v9"));
      const foreign = [join(path, "README"), join(path, "left.tmp"), join(path, "v9", "x.seg")];
      for (const file of foreign) writeFileSync(file, "not of Strata");
      const backend = await open();
      await backend.set("key", entryOf("key", LARGE, { clock }));
      assert.equal(await backend.clear(), 1);
      await backend.close();
      const again = await open();
      await again.getStats();
      assert.ok(foreign.every((file) => existsSync(file)));
    }));
});
