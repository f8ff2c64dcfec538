import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { runCommand } from "./spawn.ts";

/** Stands for npx, which brings Deno: `npx -y deno task test`. */
const NPX = `#!/bin/sh
case "$3 $4" in
  "task test") printf '%s\\n' "$TESTS_SAY"; exit "$TESTS_END" ;;
  "task $BROKEN") seq -f 'line %g of it' 100; exit 1 ;;
  *) seq -f 'much that went well %g' 100 ;;
esac
`;

describe(".ci/run", () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "strata-ci-"));
    await mkdir(join(folder, "bin"));
    await writeFile(join(folder, "bin", "npx"), NPX, { mode: 0o755 });
  });

  after(() => rm(folder, { recursive: true, force: true }));

  async function run(
    { say, end, broken = "" }: { say: readonly string[]; end: number; broken?: string },
  ): Promise<{ code: number | undefined; lines: string[] }> {
    const { code, output } = await runCommand(["bash", ".ci/run"], {
      env: {
        PATH: `${join(folder, "bin")}:${process.env["PATH"]}`,
        TMPDIR: folder,
        TESTS_SAY: say.join("\n"),
        TESTS_END: String(end),
        BROKEN: broken,
      },
    });
    return { code, lines: output.trimEnd().split("\n") };
  }

  it("counts the tests and each step that went well", async () => {
    const { code, lines } = await run({ say: ["7 passed, 0 failed"], end: 0 });
    assert.equal(code, 0);
    assert.equal(lines.at(-1), "12 passed, 0 failed");
    assert.match(lines.at(-2)!, /^=== benches: ok/);
  });

  it("repeats at its end which tests failed", async () => {
    const say = ["Failed:", "  node: a: 1 !== 2", "  bun: b: slow", "7 passed, 2 failed"];
    const { code, lines } = await run({ say, end: 1 });
    assert.equal(code, 1);
    assert.deepEqual(lines.slice(-5), [
      "--- tests",
      "  node: a: 1 !== 2",
      "  bun: b: slow",
      "FAILED: tests",
      "12 passed, 2 failed",
    ]);
  });

  it("repeats at its end what a step said last", async () => {
    const { code, lines } = await run({ say: ["7 passed, 0 failed"], end: 0, broken: "ok" });
    assert.equal(code, 1);
    assert.equal(lines.at(-1), "11 passed, 1 failed");
    assert.equal(lines.at(-2), "FAILED: ok");
    assert.equal(lines.at(-3), "line 100 of it");
    assert.ok(lines.slice(-12).includes("--- ok"));
  });

  it("fails when the tests broke off before they were counted", async () => {
    const { code, lines } = await run({ say: ["killed"], end: 137 });
    assert.equal(code, 1);
    assert.deepEqual(lines.slice(-4), [
      "--- tests",
      "killed",
      "FAILED: tests",
      "5 passed, 1 failed",
    ]);
  });
});
