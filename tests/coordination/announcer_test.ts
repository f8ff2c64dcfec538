import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Announcer } from "../../src/coordination/announcer.ts";
import type { Invalidation, InvalidationBus } from "../../src/coordination/invalidation_bus.ts";
import { isCacheError } from "../../src/errors.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { settle } from "../fakes/settle.ts";

const PERIOD_MS = 2000;

function open(isHanging = false) {
  const clock = new FakeClock();
  const published: (readonly Invalidation[])[] = [];
  const state = { isHanging, errors: [] as unknown[] };
  const bus: InvalidationBus = {
    name: "bus",
    publish: async (invalidations) => {
      if (state.isHanging) await new Promise(() => {});
      published.push(invalidations);
    },
    subscribe: () => () => {},
    close: () => Promise.resolve(),
  };
  const onError = (error: unknown): void => void state.errors.push(error);
  const announcer = new Announcer({ bus, clock, period: PERIOD_MS, onError });
  const tell = (key: string, version = 1): void => announcer.tell({ kind: "key", key, version });
  return { clock, published, state, announcer, tell };
}

describe("Announcer", () => {
  it("gives up a publish that hangs, tells of it, and tries again", async () => {
    const { clock, published, state, announcer, tell } = open(true);
    tell("a");
    await clock.advanceAsync(PERIOD_MS / 2);
    assert.equal(state.errors.length, 1);
    assert.ok(isCacheError(state.errors[0], "timeout"));
    tell("b");
    tell("a", 2);
    assert.equal(announcer.untold, 2);
    state.isHanging = false;
    await clock.advanceAsync(PERIOD_MS);
    assert.deepEqual(published.flat().map((each) => each.version), [1, 2]);
    assert.deepEqual([announcer.untold, announcer.told], [0, 2]);
  });

  it("tells to drop everything in place of more than it keeps", async () => {
    const { clock, published, state, announcer, tell } = open(true);
    tell("first");
    await clock.advanceAsync(PERIOD_MS / 2);
    for (let at = 0; at < 25_000; at++) {
      tell(`key ${at}`);
      assert.ok(announcer.untold <= 10_000);
    }
    state.isHanging = false;
    announcer.retry();
    await settle();
    assert.deepEqual(published.flat()[0], {
      kind: "clear",
      pattern: undefined,
      version: undefined,
    });
    assert.ok(published.flat().some((each) => each.kind === "key" && each.key === "key 24999"));
  });

  it("end() makes one more try and says how much could not be told", async () => {
    const { clock, state, announcer, tell } = open(true);
    tell("a");
    tell("b");
    const ending = announcer.end();
    await clock.advanceAsync(PERIOD_MS);
    assert.equal(await ending, 2);
    assert.equal(state.errors.length, 1);
  });
});
