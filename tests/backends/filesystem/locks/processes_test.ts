import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../../../src/clock.ts";
import { eventually } from "../../../servers/eventually.ts";
import { runtimeCommands } from "../log/helpers.ts";
import { withScratch } from "../scratch.ts";

const CHILD = fileURLToPath(new URL("./locks_child.ts", import.meta.url));
const TURNS = 40 * Number(process.env["STRATA_LONG"] ?? 1);

function start(at: number, ...childArguments: string[]): ChildProcess {
  const commands = runtimeCommands();
  const [program, ...first] = commands[at % commands.length]!;
  return spawn(program!, [...first, CHILD, ...childArguments], {
    stdio: ["pipe", "pipe", "inherit"],
  });
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once("exit", (code) => resolve(code)));
}

describe("FileLocks among processes", () => {
  it("lets one in at a time, each with a greater fence", () =>
    withScratch(async ({ path }) => {
      const notes = join(path, "notes");
      const children = Array.from({ length: 4 }, (_, at) =>
        start(at, "count", join(path, "cache"), notes, String(TURNS)));
      assert.deepEqual(await Promise.all(children.map(ended)), [0, 0, 0, 0]);
      const fences = fs.readFileSync(notes, "utf8").trim().split("\n").map(Number);
      assert.equal(fences.length, 4 * TURNS);
      for (let at = 1; at < fences.length; at++) {
        assert.ok(fences[at]! > fences[at - 1]!);
      }
    }));

  it("replaces an owner that is killed at once, whatever its lease", () =>
    withScratch(async ({ path, open }) => {
      const child = start(0, "hold", path, "", "");
      const exit = ended(child);
      const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
      const fence = Number((await lines.next()).value);
      const locks = (await open({}, undefined, systemClock)).createLockProvider();
      assert.equal(await locks.acquire("the one", { leaseMs: 1000 }), undefined);
      child.kill("SIGKILL");
      await exit;
      const lock = await locks.acquire("the one", { leaseMs: 1000 });
      assert.ok(lock !== undefined && lock.fence > fence);
    }));

  it("replaces an owner that is frozen once its lease is over, and that one finds out", () =>
    withScratch(async ({ path, open }) => {
      const child = start(1, "freeze", path, "", "");
      const exit = ended(child);
      const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
      const fence = Number((await lines.next()).value);
      process.kill(child.pid!, "SIGSTOP");
      const locks = (await open({}, undefined, systemClock)).createLockProvider();
      const lock = await eventually(
        "the lease of the frozen owner is over",
        () => locks.acquire("the one", { leaseMs: 60_000 }),
      );
      assert.ok(lock.fence > fence);
      process.kill(child.pid!, "SIGCONT");
      child.stdin!.write("renew\n");
      assert.equal((await lines.next()).value, "false");
      child.stdin!.end();
      assert.equal(await exit, 0);
      assert.equal(await lock.release(), true);
    }));
});
