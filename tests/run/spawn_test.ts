import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runCommand } from "./spawn.ts";

describe("runCommand()", () => {
  it("tells the exit code and what was written", async () => {
    const result = await runCommand(["sh", "-c", "echo out; echo err >&2; exit 3"]);
    assert.equal(result.code, 3);
    assert.equal(result.stdout, "out\n");
    assert.deepEqual(result.output.split("\n").sort(), ["", "err", "out"]);
    assert.equal(result.trouble, undefined);
  });

  it("adds variables to those of this process", async () => {
    const result = await runCommand(["sh", "-c", 'echo "$STRATA_A ${PATH:+path}"'], {
      env: { STRATA_A: "a" },
    });
    assert.equal(result.stdout, "a path\n");
  });

  it("kills a command that does not end, and what it started", async () => {
    // The output closes only when the inner sleep is gone too.
    const result = await runCommand(["sh", "-c", "sleep 3600 & wait"], {
      limit: 500,
    });
    assert.equal(result.code, undefined);
    assert.match(result.trouble ?? "", /did not end within/);
  });

  it("tells that a program is not there", async () => {
    const result = await runCommand(["strata-no-such-program"]);
    assert.equal(result.code, undefined);
    assert.match(result.trouble ?? "", /could not be started/);
  });
});
