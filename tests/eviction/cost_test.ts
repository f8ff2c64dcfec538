import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryStore } from "../../backends/memory/memory_store.ts";
import { CacheEntry } from "../../src/entry/entry.ts";
import { EntryCosts } from "../../src/eviction/_entry_costs.ts";
import { CostAware } from "../../src/eviction/cost_aware.ts";
import { FifoPolicy } from "../../src/eviction/fifo.ts";
import { createEvictionPolicy, evictionPolicyNames } from "../../src/eviction/policies.ts";
import { jsonSerializer } from "../../src/serializers/json.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { zipf } from "./request_streams.ts";

const FORMAT = { serializer: jsonSerializer, codec: undefined, compressionMinBytes: 0 };
const FOREVER = { createdAt: 0, expiresAt: Infinity, staleUntil: Infinity, version: 1, tags: [] };

interface Outcome {
  /** What all misses have cost. */
  readonly paid: number;
  readonly hits: number;
}

/** Replays requests of which every tenth key costs a hundred times as much as the others. */
function replay(policy: string, requests: Iterable<number>, tellsCost: boolean): Outcome {
  const limits = { maxWeight: Infinity, maxEntries: 200 };
  const store = new MemoryStore(new FakeClock(), createEvictionPolicy(policy, limits), limits);
  let paid = 0;
  let hits = 0;
  for (const number of requests) {
    const key = `key ${number}`;
    if (store.get(key) !== undefined) {
      hits++;
      continue;
    }
    const cost = number % 10 === 0 ? 100 : 1;
    paid += cost;
    const metadata = tellsCost ? { ...FOREVER, cost } : FOREVER;
    store.put(CacheEntry.of(key, number, metadata, FORMAT), 1);
  }
  return { paid, hits };
}

describe("cost of entries", () => {
  for (const policy of evictionPolicyNames) {
    it(`${policy} pays much less when it is told what entries cost`, () => {
      const requests = [...zipf(5000, 40_000, 0.7, 5)];
      const told = replay(policy, requests, true);
      const untold = replay(policy, requests, false);
      assert.ok(told.paid < untold.paid * 0.9, `${told.paid} of ${untold.paid}`);
    });

    it(`${policy} lets go of what is dear and never used`, () => {
      const limits = { maxWeight: Infinity, maxEntries: 100 };
      const store = new MemoryStore(new FakeClock(), createEvictionPolicy(policy, limits), limits);
      const put = (key: string, cost: number): boolean =>
        store.put(CacheEntry.of(key, 0, { ...FOREVER, cost }, FORMAT), 1);
      for (let at = 0; at < 50; at++) put(`dear ${at}`, 1000);
      // New ones that are used once more each, so that no policy could do without them.
      for (let at = 0; at < 20_000; at++) {
        put(`new ${at}`, 1);
        store.get(`new ${at}`);
        store.get(`new ${at - 3}`);
      }
      const left = [...store.keys()].filter((key) => key.startsWith("dear")).length;
      assert.ok(left <= 5, `${left} of 50 are left`);
    });
  }

  it("equal costs change nothing", () => {
    const requests = [...zipf(2000, 10_000, 0.8, 3)];
    for (const policy of evictionPolicyNames) {
      const limits = { maxWeight: Infinity, maxEntries: 100 };
      const stores = [undefined, 7].map((cost) => ({
        cost,
        store: new MemoryStore(new FakeClock(), createEvictionPolicy(policy, limits), limits),
      }));
      for (const number of requests) {
        const key = `key ${number}`;
        for (const { cost, store } of stores) {
          if (store.get(key) === undefined) {
            store.put(CacheEntry.of(key, number, { ...FOREVER, cost }, FORMAT), 1);
          }
        }
      }
      const [one, other] = stores.map(({ store }) => [...store.keys()].sort());
      assert.deepEqual(one, other, policy);
    }
  });
});

describe("EntryCosts", () => {
  it("tells prices within a quarter, beside the geometric mean of what was given so far", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 1 }), (
        given,
      ) => {
        const costs = new EntryCosts();
        given.forEach((cost, slot) => costs.set(slot, cost, 1));
        const mean = 2 ** (given.reduce((sum, cost) => sum + Math.log2(cost), 0) / given.length);
        given.forEach((cost, slot) => {
          const ratio = costs.priceOf(slot) / (cost / mean);
          assert.ok(ratio > 0.79 && ratio < 1.26, `${ratio}`);
        });
      }),
    );
  });

  it("spares what costs n times the mean for each byte n - 1 rounds, 15 at most, again after a use", () => {
    const costs = new EntryCosts();
    costs.set(1000, 20, 5);
    costs.set(1001, 1e6, 10);
    costs.set(1002, 0, 10);
    for (let slot = 0; slot < 1000; slot++) costs.set(slot, 10, 10);
    const rounds = (slot: number): number => {
      let count = 0;
      while (costs.spend(slot)) count++;
      return count;
    };
    assert.deepEqual([0, 1000, 1001, 1002, 5000].map(rounds), [0, 3, 15, 0, 0]);
    costs.refill(1000);
    assert.equal(rounds(1000), 3);
    costs.set(1001, undefined, 10);
    assert.deepEqual([rounds(1001), costs.priceOf(1001)], [0, 1]);
    assert.ok(costs.priceOf(1002) < 1e-6);
  });
});

describe("CostAware", () => {
  it("picks in the order of a list in which each slot stands once more for each round", () => {
    const step = fc.record({
      call: fc.constantFrom("add", "add", "use", "remove", "evict"),
      pick: fc.nat(30),
      cost: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
        const policy = new CostAware(new FifoPolicy());
        const costs = new EntryCosts();
        let order: number[] = [];
        const evict = (): number => {
          for (;;) {
            const slot = order.shift();
            if (slot === undefined || !costs.spend(slot)) return slot ?? -1;
            order.push(slot);
          }
        };
        for (const { call, pick, cost } of steps) {
          const slot = order[pick % order.length];
          if (call === "add") {
            if (order.includes(pick)) continue;
            policy.add(pick, 1, 0, cost);
            costs.set(pick, cost, 1);
            order.push(pick);
          } else if (call === "evict") {
            assert.equal(policy.evict(), evict());
          } else if (slot !== undefined && call === "use") {
            policy.touch(slot);
            costs.refill(slot);
          } else if (slot !== undefined) {
            policy.remove(slot);
            order = order.filter((other) => other !== slot);
          }
        }
      }),
    );
  });
});
