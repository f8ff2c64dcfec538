import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../../src/clock.ts";
import { liveKeys, valueOf } from "../../backend_suite/harness.ts";
import { entryOf } from "../../fakes/entries.ts";
import { freshSeed, seededRandom } from "../../fakes/seeded_random.ts";
import { runtimeArguments } from "./log/helpers.ts";
import { diskUsage, withScratch } from "./scratch.ts";

const LARGE = Uint8Array.from({ length: 100_000 }, (_, at) => at % 251);
const CHILD = fileURLToPath(new URL("./child.ts", import.meta.url));

/** The command line of a child on the runtime of this process. */
function childArguments(task: string, path: string, prefix: string, count: number): string[] {
  return [...runtimeArguments(), CHILD, task, path, prefix, String(count)];
}

describe("FilesystemBackend over a directory that others use", () => {
  it("sees after refresh() what another instance set, replaced, deleted and cleared", () =>
    withScratch(async ({ clock, open, largeFiles }) => {
      const [left, right] = [await open(), await open()];
      const values = ["small", LARGE, "small again", LARGE.slice(1), LARGE.slice(2)];
      for (const [at, value] of values.entries()) {
        const [writer, reader] = at % 2 === 0 ? [left, right] : [right, left];
        await writer.refresh();
        await writer.set("key", entryOf("key", value, { clock }));
        await writer.flush();
        await reader.refresh();
        assert.deepStrictEqual(await valueOf(reader, "key"), value);
        assert.equal(await reader.exists("key"), true);
        assert.equal((await reader.getStats()).entries, 1);
      }
      assert.equal(await right.delete("key"), true);
      await left.refresh();
      assert.equal(await left.get("key"), undefined);
      for (const key of ["a", "b"]) await left.set(key, entryOf(key, LARGE, { clock }));
      await left.flush();
      assert.equal(await right.clear("a"), 1);
      await left.refresh();
      assert.deepStrictEqual(await liveKeys(left, ["a", "b"]), ["b"]);
      assert.equal(await left.clear(), 1);
      await right.refresh();
      assert.equal(await right.get("b"), undefined);
      await left.close();
      await right.close();
      assert.deepStrictEqual(largeFiles(), []);
    }));

  it("sees it without refresh() once refreshInterval is over", () =>
    withScratch(async ({ clock, open }) => {
      const left = await open({ refreshInterval: "5ms" });
      const right = await open({ refreshInterval: "5ms" });
      await right.get("key");
      await left.set("key", entryOf("key", "value", { clock }));
      await left.flush();
      let uses = 0;
      const began = performance.now();
      while (performance.now() - began <= 5) await setImmediate();
      // The timer of the interval, or so many uses, whichever comes first.
      while (await right.get("key") === undefined && uses < 1000) uses++;
      assert.ok(uses <= 256, `after ${uses} uses`);
    }));

  it("shares a directory with another process", () =>
    withScratch(async ({ path, open }) => {
      // A lock that the other process holds is waited for.
      const clock = systemClock;
      const backend = await open({ maxBytes: "8MB" }, undefined, clock);
      const child = spawn(process.execPath, childArguments("share", path, "theirs", 30), {
        stdio: ["pipe", "pipe", "inherit"],
      });
      const ended = new Promise((resolve) => child.on("exit", resolve));
      try {
        const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
        const answer = async (): Promise<string> => (await lines.next()).value as string;
        const ask = async (what: string): Promise<void> => {
          child.stdin.write(`${what}\n`);
          assert.equal(await answer(), "done");
          await backend.refresh();
        };
        assert.equal(await answer(), "ready");
        const theirs = Array.from({ length: 30 }, (_, at) => `theirs:${at}`);
        const mine = Array.from({ length: 20 }, (_, at) => `mine:${at}`);
        for (let round = 0; round < 3; round++) {
          const writing = backend.setMany(mine.map((key) => entryOf(key, LARGE, { clock })));
          await ask("set");
          assert.ok((await writing).every(Boolean));
          for (const [at, key] of theirs.entries()) {
            const value = await valueOf(backend, key) as string;
            assert.ok(value.startsWith(`shared:theirs:${at}:`), key);
          }
          assert.equal(await backend.delete("theirs:3"), true);
          assert.equal(await backend.delete("theirs:9"), true);
          await ask(round === 1 ? "clear" : "delete");
          assert.deepStrictEqual(await liveKeys(backend, []), [...mine].sort());
          assert.ok(diskUsage(path) <= 8 * 1024 * 1024);
        }
      } finally {
        child.stdin.end();
        await ended;
      }
    }));

  const seed = freshSeed();
  it(`has what was acknowledged as durable before kill -9, whole, and no files that are left over (seed ${seed})`, () =>
    withScratch(async ({ clock, path, open, largeFiles, reports }) => {
      const random = seededRandom(seed);
      clock.jumpTo(Date.now() + 3_600_000);
      for (let round = 0; round < 5; round++) {
        const child = spawn(process.execPath, childArguments("storm", path, "k", 20), {
          stdio: ["ignore", "pipe", "inherit"],
        });
        const lines: string[] = [];
        const ended = new Promise((resolve) => child.on("exit", resolve));
        const killAt = 20 + Math.floor(random() * 200);
        for await (const line of createInterface({ input: child.stdout })) {
          if (lines.push(line) === killAt) child.kill("SIGKILL");
        }
        await ended;
        const begun = new Map<number, number>();
        const acknowledged = new Map<number, number>();
        for (const line of lines) {
          const [what, at, version] = line.split(" ") as [string, string, string];
          (what === "begun" ? begun : acknowledged).set(Number(at), Number(version));
        }
        const backend = await open({ maxBytes: "8MB" });
        for (const [at, version] of acknowledged) {
          const entry = await backend.get(`k:${at}`);
          assert.ok(
            entry?.version === version || entry?.version === begun.get(at),
            `k:${at} is ${entry?.version}, acknowledged ${version}`,
          );
          const length = entry!.version % 3 === 0 ? 70_000 : 500;
          assert.equal(await entry?.value(), `${entry?.version}:`.padEnd(length, "x"));
        }
        // Closing waits for the sweep.
        await backend.close();
        const again = await open({ maxBytes: "8MB" });
        let large = 0;
        for await (const key of again.keys()) {
          large += (await again.get(key))!.version % 3 === 0 ? 1 : 0;
        }
        assert.equal(largeFiles().length, large);
        await again.clear();
        await again.close();
      }
      assert.deepStrictEqual(reports, []);
    }));

  const ends = [
    ["write", "closed", ""],
    ["end", "ended by itself", ""],
    ["exit", "called process.exit()", ""],
    ["throw", "ended by an error that nobody caught", "meant to be uncaught"],
    ["reject", "ended by a rejection that nobody caught", "meant to be uncaught"],
  ] as const;
  for (const [task, ending, complaint] of ends) {
    it(`has all that a process set which ${ending}`, () =>
      withScratch(async ({ path, open }) => {
        const run = spawnSync(process.execPath, childArguments(task, path, "child", 40), {
          encoding: "utf8",
        });
        assert.equal(run.status, complaint === "" ? 0 : 1, run.stderr);
        assert.ok(run.stderr.includes(complaint), run.stderr);
        const backend = await open({ maxBytes: "8MB" });
        for (let at = 0; at < 40; at++) {
          const value = await valueOf(backend, `child:${at}`) as string;
          assert.ok(value?.startsWith(`written:child:${at}:`), `child:${at} is there`);
        }
        assert.equal((await backend.getStats()).entries, 40);
      }));
  }
});
