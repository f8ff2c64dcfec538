import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { VersionClock } from "../../src/entry/version.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

describe("VersionClock", () => {
  it("next() follows the clock", () => {
    const clock = new FakeClock(1_700_000_000_000);
    const versions = new VersionClock(clock);
    assert.equal(versions.next(), 1_700_000_000_000 * 1024);
    clock.advance(1);
    assert.equal(versions.next(), 1_700_000_000_001 * 1024);
  });

  it("next() grows whatever the clock does and whatever is observed, and stays a safe integer", () => {
    const jumps = fc.array(
      fc.oneof(
        fc.record({ jumpTo: fc.integer({ min: 0, max: 4e12 }) }),
        fc.record({ observe: fc.double() }),
        fc.constant({}),
      ),
    );
    fc.assert(fc.property(jumps, (steps) => {
      const clock = new FakeClock(1_700_000_000_000);
      const versions = new VersionClock(clock);
      let last = 0;
      for (const step of steps) {
        if ("jumpTo" in step) clock.jumpTo(step.jumpTo);
        if ("observe" in step) versions.observe(step.observe);
        const next = versions.next();
        assert.ok(next > last && Number.isFinite(next));
        last = next;
      }
    }));
  });

  it("next() gives 5,000 stamps in one millisecond and goes on from them", () => {
    const clock = new FakeClock(1000);
    const versions = new VersionClock(clock);
    const stamps = Array.from({ length: 5000 }, () => versions.next());
    assert.equal(new Set(stamps).size, 5000);
    clock.advance(1);
    assert.equal(versions.next(), stamps.at(-1)! + 1);
    clock.advance(10);
    assert.equal(versions.next(), 1011 * 1024);
  });

  it("next() gives whole stamps for a clock of fractions", () => {
    assert.equal(new VersionClock(new FakeClock(1000.4567)).next(), Math.floor(1000.4567 * 1024));
  });

  it("observe() makes the next stamp greater than one seen elsewhere", () => {
    const versions = new VersionClock(new FakeClock(1000));
    versions.observe(1000 * 1024 + 77);
    assert.equal(versions.next(), 1000 * 1024 + 78);
    versions.observe(5);
    assert.equal(versions.next(), 1000 * 1024 + 79);
  });

  it("observe() believes an hour ahead and no more", () => {
    const versions = new VersionClock(new FakeClock(1000));
    const latest = (1000 + 3_600_000) * 1024;
    for (const version of [latest + 1, Infinity, NaN, 2 ** 60]) versions.observe(version);
    assert.equal(versions.next(), 1000 * 1024);
    versions.observe(latest);
    assert.equal(versions.next(), latest + 1);
  });
});
