import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import type { CacheManagerOptions } from "../../src/manager/cache_manager_options.ts";
import type { CacheEvents } from "../../src/observability/events.ts";
import { runtimeArguments } from "../backends/filesystem/log/helpers.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { MapBackend } from "../fakes/map_backend.ts";
import { scratchFolder } from "../servers/scratch.ts";

const CHILD = fileURLToPath(new URL("./snapshot_child.ts", import.meta.url));

/** Runs a test with the path of a snapshot in a folder of its own. */
async function withPath(test: (path: string) => Promise<void>): Promise<void> {
  const { path, remove } = scratchFolder("snapshot");
  try {
    await test(join(path, "inner", "hot.snapshot"));
  } finally {
    remove();
  }
}

type Extra = Partial<CacheManagerOptions> & { readonly clock?: FakeClock };

async function openMemory(
  path: string,
  { snapshot, ...extra }: Extra = {},
): Promise<CacheManager> {
  return await CacheManager.open({
    backends: [{ type: "memory" }],
    clock: new FakeClock(),
    ...extra,
    snapshot: { path, interval: Infinity, ...snapshot },
  });
}

/** What has gone wrong since a cache was opened. */
async function troublesOf(
  cache: CacheManager,
  clock: FakeClock,
): Promise<CacheEvents["snapshotError"][]> {
  const troubles: CacheEvents["snapshotError"][] = [];
  cache.on("snapshotError", (trouble) => troubles.push(trouble));
  await clock.advanceAsync(1);
  return troubles;
}

function codesOf(troubles: readonly CacheEvents["snapshotError"][]): unknown[] {
  return troubles.map(({ error }) => (error as { code?: unknown }).code);
}

describe("CacheManager snapshot of values", () => {
  it("brings back what memory held, with its types, tags and expiries", async () => {
    await withPath(async (path) => {
      const clock = new FakeClock();
      const first = await openMemory(path, { clock });
      const inner = first.namespace("inner");
      await first.set("vector", new Float32Array([1, 2, 3]));
      await first.set("brief", "b", { ttl: 60 });
      await first.set("over", "o", { ttl: 5 });
      await inner.set("\ud800 odd", new Map([[1, new Date(5)]]), { tags: ["t"] });
      await inner.set("dropped", 1, { tags: ["u"] });
      await inner.deleteByTag("u");
      await first.close();
      clock.advance(30_000);

      const second = await openMemory(path, { clock });
      const again = second.namespace("inner");
      assert.deepEqual(second.peek("vector"), new Float32Array([1, 2, 3]));
      assert.deepEqual(await again.get("\ud800 odd"), new Map([[1, new Date(5)]]));
      assert.deepEqual(
        await Promise.all([second.get("brief"), second.get("over"), again.get("dropped")]),
        ["b", undefined, undefined],
      );
      const { snapshot } = await second.getStats();
      assert.deepEqual([snapshot!.restored, snapshot!.skipped], [3, 1]);
      clock.advance(30_000);
      assert.equal(await second.get("brief"), undefined);
      await again.deleteByTag("t");
      assert.equal(await again.get("\ud800 odd"), undefined);
      await second.close();
    });
  });

  it("makes one now and then, tells of it, and leaves no other files behind", async () => {
    await withPath(async (path) => {
      const clock = new FakeClock();
      const cache = await openMemory(path, { clock, snapshot: { path, interval: "10s" } });
      const made: unknown[] = [];
      const next = Promise.withResolvers<void>();
      cache.on("snapshot", (event) => {
        made.push(event);
        next.resolve();
      });
      await cache.set("a", 1);
      const { snapshot } = await cache.getStats();
      assert.equal(snapshot!.saves, 0);
      clock.advance(10_000);
      while ((await cache.getStats()).snapshot!.saves === 0) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      clock.advance(1);
      await next.promise;
      assert.deepEqual(made, [{ operation: "save", path, keys: 1 }]);
      await cache.close();
      const names = readdirSync(dirname(path));
      assert.deepEqual(names.map((name) => name.replace(/\.\w+\.changes$/, ".*.changes")).sort(), [
        "hot.snapshot",
        "hot.snapshot.*.changes",
      ]);
    });
  });

  it("brings nothing back that was changed after it was made, also not after two crashes", async () => {
    await withPath(async (path) => {
      const first = await openMemory(path);
      await first.setMany(["a", "b", "c", "d1", "d2"].map((key) => ({ key, value: "old" })));
      await first.set("tagged", "old", { tags: ["t"] });
      await first.set("kept", "old");
      await first.saveSnapshot();
      await first.delete("a");
      await first.set("b", "new");
      // A crash: nothing is closed. What follows happens in a process that took over.
      const second = await openMemory(path);
      assert.deepEqual(
        await second.getMany(["a", "b", "c", "kept"]),
        [undefined, undefined, "old", "old"],
      );
      await second.deleteMany(["c"]);
      await second.clear("d*");
      await second.deleteByTag("t");
      const third = await openMemory(path);
      assert.deepEqual(
        await third.getMany(["a", "b", "c", "d1", "d2", "tagged", "kept"]),
        [undefined, undefined, undefined, undefined, undefined, undefined, "old"],
      );
      await third.close();
    });
  });

  it("brings back what a write was refused for that no format carries", async () => {
    await withPath(async (path) => {
      const first = await openMemory(path);
      await first.set("key", "old");
      await first.saveSnapshot();
      await assert.rejects(first.set("key", undefined), TypeError);
      const second = await openMemory(path);
      assert.equal(await second.get("key"), "old");
      await second.close();
    });
  });

  it("takes note of a write that was under way when it was made", async () => {
    await withPath(async (path) => {
      const first = await openMemory(path);
      await first.setMany(["a", "b"].map((key) => ({ key, value: new Uint8Array([1]) })));
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const setting = first.setStream("a", readable);
      const writer = writable.getWriter();
      await writer.write(new Uint8Array([2]));
      await first.saveSnapshot();
      await writer.close();
      assert.equal(await setting, true);
      // A crash.
      const second = await openMemory(path);
      assert.equal(await second.get("a"), undefined);
      assert.deepEqual(await second.get("b"), new Uint8Array([1]));
    });
  });

  it("removes what killed processes left beside it, and nothing else", async () => {
    await withPath(async (path) => {
      mkdirSync(dirname(path), { recursive: true });
      const names = ["1.tmp", "abc.changes", "new.tmp"].map((name) => `${path}.${name}`);
      for (const name of [...names, `${path}.txt`, `${path}2.1.tmp`]) {
        writeFileSync(name, "");
        const old = name.includes("new") ? Date.now() : Date.now() - 7_200_000;
        utimesSync(name, old / 1000, old / 1000);
      }
      const cache = await openMemory(path);
      await cache.set("a", 1);
      await cache.close();
      const left = readdirSync(dirname(path)).map((name) => name.slice("hot.snapshot".length));
      assert.deepEqual(left.filter((name) => !/^\.\w+\.changes$/.test(name)).sort(), [
        "",
        ".new.tmp",
        ".txt",
        "2.1.tmp",
      ]);
      assert.equal((await openMemory(path)).peek("a"), 1);
    });
  });

  it("trusts no value whose list of changes is gone", async () => {
    await withPath(async (path) => {
      const first = await openMemory(path);
      await first.set("a", 1);
      await first.close();
      const clock = new FakeClock();
      for (const name of readdirSync(dirname(path))) {
        if (name.endsWith(".changes")) writeFileSync(join(dirname(path), name), "1234567");
      }
      const second = await openMemory(path, { clock });
      assert.equal(await second.get("a"), 1);
      const { rmSync } = await import("node:fs");
      for (const name of readdirSync(dirname(path))) {
        if (name.endsWith(".changes")) rmSync(join(dirname(path), name));
      }
      const third = await openMemory(path, { clock });
      assert.equal(await third.get("a"), undefined);
    });
  });

  it("keeps within the limits of a smaller memory", async () => {
    await withPath(async (path) => {
      const first = await openMemory(path);
      await first.setMany(Array.from({ length: 300 }, (_, at) => ({ key: `${at}`, value: at })));
      await first.close();
      const second = await openMemory(path, { backends: [{ type: "memory", maxEntries: 100 }] });
      const { tiers: [memory], snapshot } = await second.getStats();
      assert.deepEqual([memory!.entries, memory!.evictions], [100, 0]);
      assert.deepEqual([snapshot!.restored, snapshot!.skipped], [100, 200]);
      const third = await openMemory(path, { snapshot: { path, maxKeys: 10 } });
      assert.equal((await third.getStats()).tiers[0]!.entries, 10);
    });
  });

  it("brings back all that a small memory has held", async () => {
    await withPath(async (path) => {
      const small = { backends: [{ type: "memory", maxSizeMb: 1 }] };
      const first = await openMemory(path, small);
      await first.setMany(Array.from({ length: 200 }, (_, at) => ({ key: `${at}`, value: at })));
      await first.close();
      const second = await openMemory(path, small);
      const { tiers: [memory], snapshot } = await second.getStats();
      assert.deepEqual([memory!.entries, snapshot!.skipped], [200, 0]);
    });
  });

  it("does not make memory hold the bytes as well", async () => {
    await withPath(async (path) => {
      const cache = await openMemory(path);
      const value = { text: "x".repeat(1000) };
      await cache.set("a", value);
      await cache.saveSnapshot();
      assert.equal(cache.peek("a"), value);
      await cache.close();
    });
  });
});

describe("CacheManager snapshot of keys", () => {
  it("brings the keys in from the slower tier, which knows what was deleted", async () => {
    await withPath(async (path) => {
      const clock = new FakeClock();
      const slow = new MapBackend(clock, "slow");
      const keep = { close: () => Promise.resolve() };
      const shared = Object.assign(Object.create(slow), keep, { name: "slow" });
      for (const method of ["get", "set", "delete", "exists", "clear", "getStats", "keys"]) {
        shared[method] = (slow as unknown as Record<string, () => unknown>)[method]!.bind(slow);
      }
      const backends = [{ type: "memory" }, shared];
      const first = await openMemory(path, { clock, backends });
      await first.setMany(["a", "b", "c"].map((key) => ({ key, value: key })));
      await first.close();
      await slow.delete("b");
      const second = await openMemory(path, {
        clock,
        backends,
        snapshot: { path, restore: "await" },
      });
      assert.deepEqual(["a", "b", "c"].map((key) => second.peek(key)), ["a", undefined, "c"]);
      const { snapshot, hits, misses } = await second.getStats();
      assert.deepEqual([snapshot!.restored, snapshot!.skipped, hits, misses], [2, 1, 0, 0]);
      await second.close();
      const third = await openMemory(path, { clock, backends, snapshot: { path, restore: false } });
      assert.equal(third.peek("a"), undefined);
      await third.close();
      const fourth = await openMemory(path, { clock, backends });
      // In the background, and what is still to come is in the snapshot of a close that comes first.
      await fourth.close();
    });
  });
});

describe("CacheManager snapshot of what it cannot read", () => {
  async function snapshotBytes(path: string): Promise<Uint8Array> {
    const cache = await openMemory(path);
    await cache.setMany(["a", "b", "c"].map((key) => ({ key, value: `value ${key}` })));
    await cache.close();
    return readFileSync(path);
  }

  it("leaves a foreign version and a foreign file as they are, and says so", async () => {
    await withPath(async (path) => {
      const bytes = await snapshotBytes(path);
      const newer = Uint8Array.from(bytes);
      newer[4] = 2;
      const foreign = [newer, new TextEncoder().encode("my config"), new Uint8Array(0)];
      for (const content of foreign) {
        writeFileSync(path, content);
        const clock = new FakeClock();
        const cache = await openMemory(path, { clock });
        const troubles = await troublesOf(cache, clock);
        assert.deepEqual(codesOf(troubles), ["unsupported-format"]);
        await cache.set("a", 1);
        await assert.rejects(cache.saveSnapshot(), { code: "unsupported-format" });
        await cache.close();
        assert.deepEqual(new Uint8Array(readFileSync(path)), content);
        assert.equal(readdirSync(dirname(path)).some((name) => name.endsWith(".tmp")), false);
      }
    });
  });

  it("survives every cut and every flipped byte, and is made anew", async () => {
    await withPath(async (path) => {
      const bytes = await snapshotBytes(path);
      const damaged: Uint8Array[] = [];
      for (let at = 5; at < bytes.length; at += 3) damaged.push(bytes.subarray(0, at));
      for (let at = 5; at < bytes.length; at++) {
        const flipped = Uint8Array.from(bytes);
        flipped[at]! ^= 1 << (at % 8);
        damaged.push(flipped);
      }
      for (const [round, content] of damaged.entries()) {
        writeFileSync(path, content);
        const clock = new FakeClock();
        const cache = await openMemory(path, { clock });
        for (const key of ["a", "b", "c"]) {
          const value = await cache.get(key);
          assert.ok(value === undefined || value === `value ${key}`, `${round}: ${value}`);
        }
        const troubles = await troublesOf(cache, clock);
        assert.deepEqual(codesOf(troubles), ["corrupt"], `${round}`);
      }
      const cache = await openMemory(path);
      await cache.set("a", "again");
      await cache.close();
      assert.equal((await openMemory(path)).peek("a"), "again");
    });
  });

  it("does not write over a folder or through a link, nor wait for a pipe", async () => {
    await withPath(async (path) => {
      mkdirSync(path, { recursive: true });
      const clock = new FakeClock();
      const cache = await openMemory(path, { clock });
      assert.equal((await troublesOf(cache, clock)).length, 1);
      await cache.close();
      const link = `${path}.link`;
      const target = `${path}.target`;
      symlinkSync(target, link);
      const linked = await openMemory(link, { clock });
      await linked.set("a", 1);
      await assert.rejects(linked.saveSnapshot(), { code: "unsupported-format" });
      assert.deepEqual(readdirSync(dirname(path)).sort(), ["hot.snapshot", "hot.snapshot.link"]);
    });
  });

  it("refuses options that it cannot use", async () => {
    const backends = [{ type: "memory" }];
    for (const snapshot of [{}, { path: "" }, { path: 5 }, "path", { path: "p", restore: true }]) {
      await assert.rejects(
        CacheManager.open({ backends, snapshot: snapshot as never }),
        TypeError,
        JSON.stringify(snapshot),
      );
    }
    await using cache = await CacheManager.open({ backends });
    await assert.rejects(cache.saveSnapshot(), /opened without 'snapshot'/);
  });
});

describe("Cache.warm() from a snapshot", () => {
  it("takes keys and values of this namespace with the time that is left", async () => {
    await withPath(async (path) => {
      const clock = new FakeClock();
      const first = await openMemory(path, { clock });
      const inner = first.namespace("a");
      await first.set("root", 1, { ttl: 60 });
      await first.set("over", 1, { ttl: 5 });
      await inner.set("tagged", 2, { tags: ["t"] });
      await first.saveSnapshot();
      await first.set("later", 3);
      await inner.set("changed", 4);
      await first.close();
      clock.advance(10_000);
      await using other = await CacheManager.open({ backends: [{ type: "memory" }], clock });
      const outer = await other.warm({ snapshot: path });
      assert.deepEqual([outer.warmed, outer.missing, outer.stopped], [2, 1, "done"]);
      assert.deepEqual([other.peek("root"), other.peek("later")], [1, 3]);
      const own = other.namespace("a");
      assert.equal(own.peek("tagged"), undefined);
      assert.equal((await own.warm({ snapshot: path })).warmed, 2);
      assert.equal(await own.get("tagged"), 2);
      await own.deleteByTag("t");
      assert.equal(await own.get("tagged"), undefined);
      clock.advance(50_000);
      assert.equal(await other.get("root"), undefined);
      const resumed = await other.warm({ snapshot: path }, { resumeFrom: 2 });
      assert.equal(resumed.done, outer.done - 2);
    });
  });

  it("reports a file that is missing, foreign or damaged, and takes what came before", async () => {
    await withPath(async (path) => {
      const first = await openMemory(path);
      await first.setMany(["a", "b", "c"].map((key) => ({ key, value: key })));
      await first.close();
      const bytes = readFileSync(path);
      await using other = await CacheManager.open({
        backends: [{ type: "memory" }],
        clock: new FakeClock(),
      });
      const warm = async (content: Uint8Array | undefined): Promise<unknown[]> => {
        const target = `${path}.other`;
        if (content !== undefined) writeFileSync(target, content);
        const { stopped, error, warmed } = await other.warm({ snapshot: target });
        return [stopped, (error as { code?: string }).code, warmed];
      };
      assert.deepEqual(await warm(undefined), ["source-failed", "unavailable", 0]);
      assert.deepEqual(await warm(new Uint8Array(100)), ["source-failed", "unsupported-format", 0]);
      const [stopped, code, warmed] = await warm(bytes.subarray(0, bytes.length - 30));
      assert.deepEqual([stopped, code], ["source-failed", "corrupt"]);
      assert.ok(warmed as number >= 2, `${warmed}`);
    });
  });
});

describe("CacheManager snapshot and kill -9", () => {
  it("leaves a whole snapshot, and nothing in it that was deleted or replaced", async () => {
    await withPath(async (path) => {
      mkdirSync(dirname(path), { recursive: true });
      for (let round = 0; round < 5; round++) {
        const lines = await runAndKill([path, "400"], 3 + round * 2 + 40 * round);
        const last = new Map<string, string>();
        for (const line of lines) {
          const [, key] = /^(?:gone|set) (key \d+)/.exec(line) ?? [];
          if (key !== undefined) last.set(key, line);
        }
        const clock = new FakeClock(Date.now());
        const cache = await openMemory(path, { clock });
        assert.deepEqual(await troublesOf(cache, clock), []);
        let found = 0;
        for (let at = 0; at < 400; at++) {
          const key = `key ${at}`;
          const value = await cache.get<{ round: number; bytes: Uint8Array }>(key);
          if (value === undefined) continue;
          found++;
          const line = last.get(key);
          assert.ok(!line?.startsWith("gone"), `round ${round}: ${key} is back`);
          const newest = line === undefined ? 0 : Number(line.split(" ").at(-1));
          // One that was being set when the process was killed may have been.
          assert.ok(value.round >= newest, `round ${round}: ${key} is as in round ${value.round}`);
          if (value.round === 0) assert.equal(value.bytes[1999], at % 256);
        }
        assert.ok(found > 0, `round ${round}: ${lines.length} lines, nothing came back`);
        // Not closed: the next process finds what the killed one left.
      }
    });
  });
});

/** Runs the child until it has written so many lines, and kills it. @returns what it wrote. */
function runAndKill(args: readonly string[], lines: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...runtimeArguments(), CHILD, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [output, errors] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (output.split("\n").length > lines) child.kill("SIGKILL");
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
    child.on("close", (_code, signal) => {
      if (signal === "SIGKILL") resolve(output.split("\n").slice(0, -1));
      else reject(new Error(`ended by itself: ${errors}`));
    });
  });
}
