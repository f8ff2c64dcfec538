import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Ghost } from "../../src/eviction/_ghost.ts";

describe("Ghost", () => {
  it("take() is true once for what was added, and never for what was not", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50)), fc.array(fc.nat(50)), (added, asked) => {
        const ghost = new Ghost();
        for (const hash of added) ghost.add(hash, 1000);
        const left = new Map<number, number>();
        for (const hash of added) left.set(hash, (left.get(hash) ?? 0) + 1);
        for (const hash of asked) {
          const times = left.get(hash) ?? 0;
          if (ghost.take(hash, 1000)) {
            assert.ok(times > 0, `${hash} was not added so often`);
            left.set(hash, times - 1);
          }
        }
      }),
    );
  });

  it("take() finds nearly all of the last hashes and none older, as the capacity grows and falls", () => {
    const ghost = new Ghost();
    let found = 0;
    let asked = 0;
    for (let hash = 0; hash < 50_000; hash++) ghost.add(hash, Math.ceil(hash / 10));
    for (const capacity of [4000, 1000, 100]) {
      for (let hash = 0; hash < 50_000 - capacity; hash += 97) {
        assert.equal(ghost.take(hash, capacity), false, `${hash} is too old`);
      }
    }
    for (let hash = 50_000 - 4000; hash < 50_000; hash++) {
      asked++;
      if (ghost.take(hash, 4000)) found++;
      assert.equal(ghost.take(hash, 4000), false, `${hash} was taken`);
    }
    assert.ok(found / asked > 0.95, `found ${found} of ${asked}`);
  });

  it("clear() forgets", () => {
    const ghost = new Ghost();
    assert.equal(ghost.take(1, 10), false);
    ghost.add(1, 10);
    ghost.clear();
    assert.equal(ghost.take(1, 10), false);
    ghost.add(1, 10);
    assert.equal(ghost.take(1, 10), true);
  });
});
