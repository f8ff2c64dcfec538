import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SystemClock, systemClock } from "../src/clock.ts";
import { FakeClock } from "./fakes/fake_clock.ts";

/** Runs with timers that only note what was asked of them. */
function withTimers(
  action: (
    timers: { callback: () => void; delay: number; held: boolean; cleared: boolean }[],
  ) => void,
): void {
  const { setTimeout, clearTimeout } = globalThis;
  const timers: { callback: () => void; delay: number; held: boolean; cleared: boolean }[] = [];
  Object.assign(globalThis, {
    setTimeout(callback: () => void, delay: number): unknown {
      const timer = { callback, delay, held: true, cleared: false };
      timers.push(timer);
      return { timer, unref: () => void (timer.held = false) };
    },
    clearTimeout(handle: { timer: { cleared: boolean } }): void {
      handle.timer.cleared = true;
    },
  });
  try {
    action(timers);
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout });
  }
}

/** Runs with a system time that is set by hand. */
function withTime(action: (set: (now: number) => void) => void): void {
  const { now } = Date;
  let time = 0;
  Date.now = () => time;
  try {
    action((value) => time = value);
  } finally {
    Date.now = now;
  }
}

describe("SystemClock", () => {
  it("now() is the time of the machine", () => {
    const before = Date.now();
    const now = systemClock.now();
    assert.ok(now >= before && now <= Date.now());
  });

  it("recent() reads anew after a timer has fired", () => {
    withTime((set) =>
      withTimers((timers) => {
        const clock = new SystemClock();
        set(1000);
        assert.equal(clock.recent(), 1000);
        set(2000);
        assert.equal(clock.recent(), 1000);
        assert.deepStrictEqual(timers.map(({ delay, held }) => [delay, held]), [[1, false]]);
        timers[0]!.callback();
        assert.equal(clock.recent(), 2000);
        assert.equal(timers.length, 2);
      })
    );
  });

  it("recent() reads anew after 64 calls when no timer can fire, and starts no second timer", () => {
    withTime((set) =>
      withTimers((timers) => {
        const clock = new SystemClock();
        set(1);
        clock.recent();
        set(2);
        const readings = Array.from({ length: 65 }, () => clock.recent());
        assert.deepStrictEqual(readings, [...Array.from({ length: 64 }, () => 1), 2]);
        assert.equal(timers.length, 1);
      })
    );
  });

  it("schedule() calls back once, holds no process, and can be called off", () => {
    withTimers((timers) => {
      let calls = 0;
      const cancel = new SystemClock().schedule(() => calls++, 50);
      assert.deepStrictEqual(timers.map(({ delay, held }) => [delay, held]), [[50, false]]);
      timers[0]!.callback();
      assert.equal(calls, 1);
      cancel();
      assert.ok(timers[0]!.cleared);
    });
  });

  it("schedule() waits in parts for what is longer than timers can wait", () => {
    withTimers((timers) => {
      const longest = 2 ** 31 - 1;
      let calls = 0;
      const cancel = new SystemClock().schedule(() => calls++, longest * 2 + 5);
      for (let part = 0; part < 3; part++) {
        assert.equal(calls, 0);
        timers[part]!.callback();
      }
      assert.equal(calls, 1);
      assert.deepStrictEqual(timers.map(({ delay }) => delay), [longest, longest, 5]);
      cancel();
      assert.ok(timers.every(({ cleared }) => cleared));
    });
  });

  it("schedule() for ever never calls back", () => {
    withTimers((timers) => {
      new SystemClock().schedule(() => assert.fail("called back"), Infinity);
      for (let part = 0; part < 5; part++) timers[part]!.callback();
      assert.equal(timers.length, 6);
    });
  });

  it("schedule() calls back in time with the timers of the runtime", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    systemClock.schedule(() => assert.fail("was called off"), 0)();
    systemClock.schedule(resolve, 0);
    // The clock's timers hold no process: this one does.
    const holder = setTimeout(() => {}, 60_000);
    await promise;
    clearTimeout(holder);
  });
});

describe("FakeClock", () => {
  it("advance() calls back in order of time, then of making, also what is made on the way", () => {
    const clock = new FakeClock(0);
    const calls: string[] = [];
    const note = (name: string) => () => void calls.push(`${name} at ${clock.now()}`);
    clock.schedule(note("c"), 20);
    clock.schedule(note("a"), 10);
    clock.schedule(note("b"), 10);
    clock.schedule(() => clock.schedule(note("made"), 5), 10);
    clock.schedule(note("late"), 31);
    clock.schedule(note("cancelled"), 1)();
    clock.advance(30);
    assert.deepStrictEqual(calls, ["a at 10", "b at 10", "made at 15", "c at 20"]);
    assert.equal(clock.now(), 30);
    assert.equal(clock.recent(), 30);
    assert.equal(clock.pendingTimers, 1);
  });

  it("advanceAsync() lets promises go on between timers", async () => {
    const clock = new FakeClock(0);
    const calls: number[] = [];
    clock.schedule(() => {
      Promise.resolve().then(() => clock.schedule(() => void calls.push(clock.now()), 5));
    }, 10);
    await clock.advanceAsync(20);
    assert.deepStrictEqual(calls, [15]);
  });

  it("jumpTo() sets the time and calls nothing", () => {
    const clock = new FakeClock(100);
    clock.schedule(() => assert.fail("called"), 10);
    clock.jumpTo(50);
    assert.equal(clock.now(), 50);
    clock.advance(59);
    assert.equal(clock.now(), 109);
  });
});
