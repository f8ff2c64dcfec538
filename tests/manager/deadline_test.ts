import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isCacheError } from "../../src/errors.ts";
import { Deadlines } from "../../src/manager/deadline.ts";
import type { OperationOptions } from "../../src/types.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { settle } from "../fakes/settle.ts";

/** How a promise stands. */
function watch(promise: Promise<unknown>): { state: string; reason?: unknown } {
  const watched: { state: string; reason?: unknown } = { state: "pending" };
  promise.then(
    (value) => watched.state = String(value),
    (reason) => Object.assign(watched, { state: "rejected", reason }),
  );
  return watched;
}

const never = (): Promise<never> => new Promise(() => {});

describe("Deadlines", () => {
  it("run() gives what the operation gives, and passes on its failure", async () => {
    const deadlines = new Deadlines(new FakeClock(), 1000, "disk");
    assert.equal(await deadlines.run("read", () => Promise.resolve(1)), 1);
    await assert.rejects(deadlines.run("read", () => Promise.reject(new Error("broken"))), {
      message: "broken",
    });
    await assert.rejects(
      deadlines.run("read", () => {
        throw new Error("thrown");
      }),
      { message: "thrown" },
    );
  });

  it("run() gives up exactly at the deadline, and aborts", async () => {
    const clock = new FakeClock();
    const deadlines = new Deadlines(clock, 1000, "disk");
    let signal: AbortSignal | undefined;
    const run = watch(deadlines.run("read", (options) => {
      signal = options.signal;
      return never();
    }));
    await clock.advanceAsync(999);
    assert.equal(run.state, "pending");
    assert.equal(signal?.aborted, false);
    await clock.advanceAsync(1);
    assert.equal(run.state, "rejected");
    assert.ok(isCacheError(run.reason, "timeout"));
    assert.equal(
      (run.reason as Error).message,
      'Cannot read in tier "disk": no answer within 1000 ms',
    );
    assert.equal(signal?.reason, run.reason);
  });

  it("a signal asked for after the deadline is aborted", async () => {
    const clock = new FakeClock();
    const deadlines = new Deadlines(clock, 10, "disk");
    let given: OperationOptions = {};
    const run = watch(deadlines.run("read", (options) => {
      given = options;
      return never();
    }));
    await clock.advanceAsync(10);
    assert.equal(given.signal?.aborted, true);
    assert.equal(given.signal?.reason, run.reason);
  });

  it("each operation has its own deadline, with one timer for all", async () => {
    const clock = new FakeClock();
    const deadlines = new Deadlines(clock, 100, "disk");
    const first = watch(deadlines.run("read", never));
    await clock.advanceAsync(60);
    const second = watch(deadlines.run("read", never));
    const ended = watch(deadlines.run("read", () => Promise.resolve("ok")));
    await settle();
    assert.equal(clock.pendingTimers, 1);
    await clock.advanceAsync(40);
    assert.deepEqual([first.state, second.state, ended.state], ["rejected", "pending", "ok"]);
    await clock.advanceAsync(59);
    assert.equal(second.state, "pending");
    await clock.advanceAsync(1);
    assert.equal(second.state, "rejected");
    assert.equal(clock.pendingTimers, 0);
  });

  it("the caller's signal ends the wait, before and during", async () => {
    const clock = new FakeClock();
    const deadlines = new Deadlines(clock, 100, "disk");
    const reason = new Error("enough");
    let hasBegun = false;
    await assert.rejects(
      deadlines.run("read", () => {
        hasBegun = true;
        return never();
      }, AbortSignal.abort(reason)),
      reason,
    );
    assert.equal(hasBegun, false);

    const controller = new AbortController();
    let signal: AbortSignal | undefined;
    const run = watch(deadlines.run("read", (options) => {
      signal = options.signal;
      return never();
    }, controller.signal));
    controller.abort(reason);
    await settle();
    assert.equal(run.reason, reason);
    assert.equal(signal?.reason, reason);
  });

  it("what ends after it was given up is let go", async () => {
    const clock = new FakeClock();
    const deadlines = new Deadlines(clock, 100, "disk");
    const late = Promise.withResolvers<string>();
    const run = watch(deadlines.run("read", () => late.promise));
    await clock.advanceAsync(100);
    late.reject(new Error("late"));
    await settle();
    assert.ok(isCacheError(run.reason, "timeout"));
  });

  it("without a deadline no timer is set", () => {
    const clock = new FakeClock();
    const deadlines = new Deadlines(clock, Infinity, "disk");
    deadlines.run("read", never);
    assert.equal(clock.pendingTimers, 0);
  });

  it("a deadline longer than a timer can wait is waited for in parts", async () => {
    const delays: number[] = [];
    const clock = new FakeClock();
    const days30 = 30 * 86_400_000;
    const deadlines = new Deadlines(
      {
        now: () => clock.now(),
        recent: () => clock.recent(),
        schedule: (callback, delay) => {
          delays.push(delay);
          return clock.schedule(callback, delay);
        },
      },
      days30,
      "disk",
    );
    const run = watch(deadlines.run("read", never));
    await clock.advanceAsync(days30 - 1);
    assert.equal(run.state, "pending");
    await clock.advanceAsync(1);
    assert.equal(run.state, "rejected");
    assert.ok(delays.every((delay) => delay < 2 ** 31), `${delays}`);
  });
});
