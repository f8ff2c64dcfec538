import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { FileIndex } from "../../../backends/filesystem/file_index.ts";
import { digestOf } from "../../../backends/filesystem/names.ts";
import { createEvictionPolicy } from "../../../src/eviction/policies.ts";

const LIMITS = { maxWeight: 1e9, maxEntries: Infinity };

describe("FileIndex", () => {
  it("agrees with a Map through any puts and drops", () => {
    const digests = Array.from({ length: 300 }, (_, at) => digestOf(`key:${at}`));
    const step = fc.record({ at: fc.nat(299), size: fc.nat(50_000), drop: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const index = new FileIndex(createEvictionPolicy("lru", LIMITS));
        index.order();
        const model = new Map<number, number>();
        for (const { at, size, drop } of steps) {
          const digest = digests[at] as Uint8Array;
          const slot = index.find(digest);
          assert.equal(slot >= 0, model.has(at));
          if (!drop) {
            index.put(digest, { size }, size, Infinity);
            model.set(at, size);
          } else if (slot >= 0) {
            index.drop(slot);
            model.delete(at);
          }
        }
        assert.equal(index.count, model.size);
        let bytes = 0;
        for (const [at, size] of model) {
          const slot = index.find(digests[at] as Uint8Array);
          assert.equal(index.lengthOf(slot), size);
          assert.equal(index.expiresAt(slot), size);
          assert.deepStrictEqual(index.digest(slot), new Uint8Array(digests[at] as Uint8Array));
          bytes += Math.ceil(size / 4096) * 4096;
        }
        assert.equal(index.bytes, bytes);
        assert.equal(index.slots().length, model.size);
      }),
      { numRuns: 50 },
    );
  });

  it("order() lets the oldest leave first, and what came during the scan last", () => {
    const index = new FileIndex(createEvictionPolicy("lru", LIMITS));
    const times = [5e11, 1.7e12, 3e11, Infinity, 1.6e12];
    const digests = times.map((_, at) => digestOf(`key:${at}`));
    for (const [at, time] of times.entries()) {
      index.put(digests[at] as Uint8Array, { size: 1 }, NaN, time);
    }
    assert.equal(index.victim(), -1);
    index.order();
    const order = times.map(() => {
      const slot = index.victim();
      const digest = index.digest(slot);
      index.drop(slot);
      return digests.findIndex((known) => known.every((byte, at) => byte === digest[at]));
    });
    assert.deepStrictEqual(order, [2, 0, 4, 1, 3]);
    assert.equal(index.victim(), -1);
    assert.equal(index.bytes, 0);
  });

  it("spare() and put() make an entry of a victim again", () => {
    const index = new FileIndex(createEvictionPolicy("fifo", LIMITS));
    index.order();
    const [left, right] = [digestOf("left"), digestOf("right")];
    index.put(left, { size: 1 }, NaN, Infinity);
    index.put(right, { size: 1 }, NaN, Infinity);
    const slot = index.victim();
    assert.equal(slot, index.find(left));
    assert.equal(index.isLeaving(slot), true);
    index.spare(slot);
    const other = index.victim();
    assert.equal(other, index.find(right));
    index.put(right, { size: 9000 }, NaN, Infinity);
    assert.equal(index.isLeaving(other), false);
    assert.equal(index.victim(), slot);
    index.drop(slot);
    assert.equal(index.victim(), other);
    index.drop(other);
    assert.deepStrictEqual([index.count, index.bytes, index.victim()], [0, 0, -1]);
  });
});
