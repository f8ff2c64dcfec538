import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FrequencySketch } from "../../src/eviction/_frequency_sketch.ts";
import { spread } from "../../src/eviction/_spread.ts";

/** A sketch for so many entries, with room for all of them. */
function sketchFor(entries: number): FrequencySketch {
  const sketch = new FrequencySketch();
  sketch.resize(entries, entries);
  return sketch;
}

describe("FrequencySketch", () => {
  it("never counts less than there was, up to 15", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40), { maxLength: 400 }), (keys) => {
        const sketch = sketchFor(1000);
        const counts = new Map<number, number>();
        for (const key of keys) {
          sketch.increment(spread(key));
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
        for (const [key, count] of counts) {
          assert.ok(sketch.frequency(spread(key)) >= Math.min(15, count));
        }
      }),
    );
  });

  it("counts nearly all of many keys right", () => {
    const sketch = sketchFor(10_000);
    for (let round = 0; round < 3; round++) {
      for (let key = 0; key < 10_000; key++) sketch.increment(spread(key));
    }
    let wrong = 0;
    for (let key = 0; key < 10_000; key++) if (sketch.frequency(spread(key)) !== 3) wrong++;
    assert.ok(wrong < 800, `${wrong} of 10,000 are wrong`);
    let known = 0;
    for (let key = 10_000; key < 20_000; key++) if (sketch.frequency(spread(key)) > 0) known++;
    assert.ok(known < 3000, `${known} of 10,000 that never came are known`);
  });

  it("halves all counts when ten for each entry have been counted", () => {
    const sketch = sketchFor(100);
    for (let turn = 0; turn < 12; turn++) sketch.increment(spread(1));
    let key = 1000;
    while (sketch.frequency(spread(1)) >= 12) sketch.increment(spread(key++));
    assert.ok(key - 1000 + 12 >= 900, `after ${key - 1000 + 12} counts`);
    assert.ok(key - 1000 + 12 <= 1000 + 50, `after ${key - 1000 + 12} counts`);
    assert.ok(sketch.frequency(spread(1)) <= 7);
  });

  it("forgets what is not seen any more", () => {
    const sketch = sketchFor(64);
    for (let turn = 0; turn < 15; turn++) sketch.increment(spread(7));
    for (let key = 0; key < 5000; key++) sketch.increment(spread(100 + key % 2000));
    assert.ok(sketch.frequency(spread(7)) < 5);
  });

  it("keeps what was counted when it grows", () => {
    const sketch = sketchFor(10);
    sketch.resize(10_000, 10);
    for (let key = 0; key < 20; key++) {
      for (let turn = 0; turn <= key % 5; turn++) sketch.increment(spread(key));
    }
    const before = Array.from({ length: 20 }, (_, key) => sketch.frequency(spread(key)));
    sketch.resize(10_000, 10_000);
    const after = Array.from({ length: 20 }, (_, key) => sketch.frequency(spread(key)));
    assert.deepEqual(after, before);
  });

  it("clear() forgets", () => {
    const sketch = sketchFor(100);
    sketch.increment(spread(5));
    sketch.clear();
    assert.equal(sketch.frequency(spread(5)), 0);
  });
});
