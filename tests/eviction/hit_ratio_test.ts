import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEvictionPolicy, evictionPolicyNames } from "../../src/eviction/policies.ts";
import { keyHash } from "../../src/eviction/key_hash.ts";
import { bursts, hotSetWithScans, loop, zipf } from "./request_streams.ts";

/** The share of requests that hit, in percent; each miss brings its key in. */
function hitRatio(name: string, maxEntries: number, requests: Iterable<number>): number {
  const policy = createEvictionPolicy(name, { maxWeight: Infinity, maxEntries });
  const slotOf = new Map<number, number>();
  const keyOf: number[] = [];
  let hits = 0;
  let count = 0;
  for (const key of requests) {
    count++;
    let slot = slotOf.get(key);
    if (slot !== undefined) {
      hits++;
      policy.touch(slot);
      continue;
    }
    if (slotOf.size < maxEntries) {
      slot = keyOf.length;
    } else {
      slot = policy.evict();
      slotOf.delete(keyOf[slot]!);
    }
    policy.add(slot, 1, keyHash(`key ${key}`));
    slotOf.set(key, slot);
    keyOf[slot] = key;
  }
  return 100 * hits / count;
}

describe("hit ratios", () => {
  it("lru and fifo hit nothing in a loop larger than the cache, and all of a smaller one", () => {
    for (const name of ["lru", "fifo"]) {
      assert.equal(hitRatio(name, 100, loop(101, 5000)), 0);
      assert.equal(hitRatio(name, 100, loop(100, 5000)), 98);
    }
  });

  it("s3-fifo hits most of a loop somewhat larger than the cache", () => {
    assert.ok(hitRatio("s3-fifo", 1000, loop(1011, 500_000)) > 85);
  });

  it("s3-fifo and lfu beat lru, and lru beats fifo, when popularity is skewed", () => {
    const ratio = (name: string) => hitRatio(name, 500, zipf(20_000, 200_000, 0.9, 7));
    const [s3, lfu, lru, fifo] = ["s3-fifo", "lfu", "lru", "fifo"].map(ratio);
    assert.ok(s3! > lru! + 5, `s3-fifo ${s3}, lru ${lru}`);
    assert.ok(lfu! > lru! + 5, `lfu ${lfu}, lru ${lru}`);
    assert.ok(lru! > fifo! + 1, `lru ${lru}, fifo ${fifo}`);
  });

  it("s3-fifo and lfu keep a hot set through scans that push it out of lru", () => {
    const ratio = (name: string) => hitRatio(name, 120, hotSetWithScans(100, 100_000, 3));
    assert.ok(ratio("s3-fifo") > 48.5);
    assert.ok(ratio("lfu") > 48.5);
    assert.ok(ratio("lru") < 40);
  });

  it("lfu lets old favourites go when others have taken their place", () => {
    const cache = 100;
    function* phases(): Generator<number> {
      for (let turn = 0; turn < 200_000; turn++) yield turn % cache;
      for (let turn = 0; turn < 200_000; turn++) yield cache + (turn * 7) % (cache / 2);
    }
    assert.ok(hitRatio("lfu", cache, phases()) > 99.5);
  });

  it("auto is within three points of the best policy for each kind of requests", () => {
    const streams: Record<string, () => Iterable<number>> = {
      zipf: () => zipf(5000, 100_000, 0.9, 2),
      loop: () => loop(500, 100_000),
      "hot set with scans": () => hotSetWithScans(150, 100_000, 5),
      bursts: () => bursts(100, 100_000, 0),
    };
    for (const [kind, requests] of Object.entries(streams)) {
      const ratios = evictionPolicyNames.map((name) => hitRatio(name, 200, requests()));
      const auto = hitRatio("auto", 200, requests());
      assert.ok(auto > Math.max(...ratios) - 3, `${kind}: ${auto} of ${ratios}`);
    }
  });

  it("s3-fifo knows again a key that left a short while ago", () => {
    const policy = createEvictionPolicy("s3-fifo", { maxWeight: Infinity, maxEntries: 10 });
    for (let slot = 0; slot < 10; slot++) policy.add(slot, 1, slot);
    assert.equal(policy.evict(), 0);
    // Its hash comes back in another slot: straight to the main queue, where it outlives the other nine.
    policy.add(0, 1, 0);
    const order = Array.from({ length: 10 }, () => policy.evict());
    assert.deepStrictEqual(order, [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]);
  });
});
