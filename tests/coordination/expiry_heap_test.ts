import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ExpiryHeap } from "../../src/coordination/expiry_heap.ts";
import { seededRandom } from "../fakes/seeded_random.ts";

interface Item {
  readonly at: number;
  readonly order: number;
  isAlive: boolean;
}

describe("ExpiryHeap", () => {
  it("pop() gives what expires first, of equals what came first, and skips what is dead", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = seededRandom(seed);
      const heap = new ExpiryHeap<Item>(({ isAlive }) => isAlive);
      const items: Item[] = [];
      for (let order = 0; order < 500; order++) {
        const at = random() < 0.1 ? Infinity : Math.floor(random() * 50);
        const item = { at, order, isAlive: true };
        items.push(item);
        heap.push(at, item);
        if (random() < 0.5) items[Math.floor(random() * items.length)]!.isAlive = false;
      }
      const expected = items.filter(({ isAlive }) => isAlive)
        .sort((one, other) => one.at === other.at ? one.order - other.order : one.at - other.at);
      const popped: Item[] = [];
      for (let item = heap.pop(); item !== undefined; item = heap.pop()) popped.push(item);
      assert.deepEqual(popped, expected, `seed ${seed}`);
    }
  });

  it("looks seldom at what is dead, however much of it comes", () => {
    let looks = 0;
    const heap = new ExpiryHeap<{ isAlive: boolean }>((item) => {
      looks++;
      return item.isAlive;
    });
    for (let at = 0; at < 100_000; at++) heap.push(at, { isAlive: false });
    assert.ok(looks < 400_000, `${looks} looks`);
    assert.equal(heap.pop(), undefined);
    assert.ok(looks < 400_200, "few dead ones were left");
  });
});
