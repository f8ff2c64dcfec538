import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEvictionPolicy, evictionPolicyNames } from "../../src/eviction/policies.ts";
import { Probation } from "../../src/eviction/probation.ts";
import { MemoryStore } from "../../backends/memory/memory_store.ts";
import { entryOf } from "../fakes/entries.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

/** A store of 1000 bytes or entries with a policy of a name. */
function openStore(name: string, limits = { maxWeight: 1000, maxEntries: Infinity }): MemoryStore {
  return new MemoryStore(new FakeClock(), createEvictionPolicy(name, limits), limits);
}

function put(store: MemoryStore, key: string, weight = 1, probation = false): boolean {
  return store.put(entryOf(key, 0), weight, { probation });
}

function held(store: MemoryStore, kind: string): number {
  return [...store.keys()].filter((key) => key.startsWith(kind)).length;
}

describe("Probation", () => {
  for (const name of evictionPolicyNames) {
    describe(name, () => {
      it("a flood of what nobody asked for clears a tenth and no more", () => {
        const store = openStore(name);
        for (let at = 0; at < 1000; at++) put(store, `asked ${at}`);
        for (const key of [...store.keys()]) store.get(key);
        for (let at = 0; at < 5000; at++) assert.equal(put(store, `guess ${at}`, 1, true), true);
        assert.equal(held(store, "asked"), 900);
        assert.equal(held(store, "guess"), 100);
        assert.ok(store.peek("guess 4999") !== undefined, "the last one has room");
      });

      it("what is never used leaves first when others come", () => {
        const store = openStore(name);
        for (let at = 0; at < 1000; at++) put(store, `warm ${at}`, 1, true);
        assert.equal(held(store, "warm"), 1000);
        for (let at = 0; at < 900; at++) put(store, `asked ${at}`);
        assert.equal(held(store, "asked"), 900);
        assert.equal(held(store, "warm"), 100);
        for (let at = 0; at < 5000; at++) put(store, `later ${at}`);
        assert.equal(held(store, "warm"), 0);
      });

      it("a use makes one of them an entry as any other", () => {
        const store = openStore(name);
        for (let at = 0; at < 50; at++) put(store, `guess ${at}`, 1, true);
        for (let at = 0; at < 50; at += 2) store.get(`guess ${at}`);
        for (let at = 0; at < 950; at++) put(store, `asked ${at}`);
        for (let at = 0; at < 500; at++) put(store, `flood ${at}`, 1, true);
        for (let at = 1; at < 50; at += 2) assert.equal(store.peek(`guess ${at}`), undefined);
        const proven = held(store, "guess") + held(store, "asked");
        assert.equal(proven, 900);
      });

      it("one too heavy for its share is declined where others would have to leave", () => {
        const store = openStore(name);
        assert.equal(put(store, "roomy", 500, true), true);
        put(store, "asked", 450);
        assert.equal(put(store, "heavy", 101, true), false);
        assert.equal(held(store, ""), 2);
        assert.equal(put(store, "light", 60, true), true);
        assert.equal(store.peek("roomy"), undefined);
        assert.ok(store.peek("asked") !== undefined);
      });
    });
  }

  it("counts weights and entries right through any sequence of calls", () => {
    const step = fc.record({
      call: fc.constantFrom("ask", "guess", "guess", "use", "delete"),
      key: fc.nat(20),
      weight: fc.integer({ min: 1, max: 30 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
        const limits = { maxWeight: 100, maxEntries: 12 };
        const store = openStore("lru", limits);
        for (const { call, key: number, weight } of steps) {
          const key = `key ${number}`;
          if (call === "ask") put(store, key, weight);
          else if (call === "guess") put(store, key, weight, true);
          else if (call === "use") store.get(key);
          else store.delete(key);
          assert.ok(store.weight <= limits.maxWeight && store.size <= limits.maxEntries);
        }
        for (const key of [...store.keys()]) store.delete(key);
        assert.deepEqual([store.weight, store.size], [0, 0]);
        // Whatever was miscounted would keep these out.
        for (let at = 0; at < 12; at++) put(store, `last ${at}`, 1, at % 2 === 0);
        assert.equal(store.size, 12);
      }),
    );
  });

  it("gives back each slot once, those on probation in the order in which they came", () => {
    const limits = { maxWeight: Infinity, maxEntries: 100 };
    const queue = new Probation(createEvictionPolicy("lru", limits), limits);
    for (let slot = 0; slot < 50; slot++) queue.add(slot, 1, slot);
    for (let slot = 50; slot < 100; slot++) queue.addProbation(slot, 1, slot);
    queue.touch(60);
    queue.remove(50);
    const order: number[] = [];
    for (let slot = queue.evict(); slot >= 0; slot = queue.evict()) order.push(slot);
    assert.equal(new Set(order).size, 99);
    const waiting = order.filter((slot) => slot >= 50 && slot !== 60);
    assert.deepEqual(waiting, waiting.toSorted((a, b) => a - b));
    assert.equal(order[0], 51);
    queue.add(0, 1, 0);
    queue.addProbation(1, 1, 1);
    queue.clear();
    assert.equal(queue.evict(), -1);
  });
});
