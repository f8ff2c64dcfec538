import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isCacheError } from "../../src/errors.ts";
import { backendSuite } from "../backend_suite.ts";
import { entryOf } from "./entries.ts";
import { FakeClock } from "./fake_clock.ts";
import { FlakyBackend } from "./flaky_backend.ts";
import { MapBackend } from "./map_backend.ts";
import { StreamingBackend } from "./streaming_backend.ts";
import { seededRandom } from "./seeded_random.ts";

backendSuite("MapBackend", ({ clock }) => new MapBackend(clock));
backendSuite("StreamingBackend", ({ clock }) => new StreamingBackend(clock), {
  movesStreams: true,
});
backendSuite(
  "FlakyBackend without faults",
  ({ clock }) => new FlakyBackend(new MapBackend(clock), seededRandom(1)),
);

describe("FlakyBackend", () => {
  const clock = new FakeClock();

  it("fails the share of operations that it is told to", async () => {
    const flaky = new FlakyBackend(new MapBackend(clock), seededRandom(7), { failBefore: 0.25 });
    let failures = 0;
    for (let at = 0; at < 400; at++) {
      await flaky.get("key").catch((error) => {
        assert.ok(isCacheError(error, "backend"));
        failures++;
      });
    }
    assert.ok(failures > 60 && failures < 140, `${failures} of 400 failed`);
  });

  it("does what it fails after, and not what it fails before", async () => {
    const inner = new MapBackend(clock);
    const flaky = new FlakyBackend(inner, () => 0, { failAfter: 1 });
    await assert.rejects(flaky.set("key", entryOf("key", 1)));
    assert.equal(await inner.exists("key"), true);
    flaky.faults = { failBefore: 1, only: ["delete"] };
    await assert.rejects(flaky.delete("key"));
    assert.equal(await flaky.exists("key"), true);
  });

  it("gives entries of other keys and values that cannot be decoded", async () => {
    const flaky = new FlakyBackend(new MapBackend(clock), () => 0, { otherKey: 1 });
    await flaky.set("key", entryOf("key", "value"));
    assert.notEqual((await flaky.get("key"))?.key, "key");
    flaky.faults = { garbled: 1 };
    const entry = await flaky.get("key");
    assert.equal(entry?.key, "key");
    await assert.rejects(async () => await entry?.value());
    flaky.faults = {};
    assert.equal(await (await flaky.get("key"))?.value(), "value");
  });

  it("hears no signal while it hangs, and goes on when it resumes", async () => {
    const flaky = new FlakyBackend(new MapBackend(clock), () => 0);
    await flaky.set("key", entryOf("key", "value"));
    flaky.hang();
    const controller = new AbortController();
    let settled = false;
    const read = flaky.get("key", { signal: controller.signal })
      .catch(() => undefined).finally(() => settled = true);
    controller.abort();
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    assert.equal(settled, false);
    flaky.resume();
    await read;
    assert.deepStrictEqual(flaky.calls, ["set", "get"]);
  });
});
