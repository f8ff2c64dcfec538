import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryStore } from "../../../backends/memory/memory_store.ts";
import { createEvictionPolicy } from "../../../src/eviction/policies.ts";
import { entryOf } from "../../fakes/entries.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";

const ROOMY = { maxWeight: Infinity, maxEntries: Infinity };

function open(limits = ROOMY) {
  const clock = new FakeClock();
  const store = new MemoryStore(clock, createEvictionPolicy("lru", limits), limits);
  return { clock, store };
}

interface Held {
  readonly expiresAt: number;
  readonly staleUntil: number;
  readonly value: number;
  readonly weight: number;
}

describe("MemoryStore", () => {
  it("agrees with a plain map through any sequence of calls", () => {
    const key = fc.nat(12).map((n) => `key ${n}`);
    const step = fc.oneof(
      fc.record({
        call: fc.constant("put" as const),
        key,
        value: fc.nat(),
        weight: fc.integer({ min: 1, max: 1000 }),
        ttlMs: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constant(Infinity)),
        staleMs: fc.nat(20),
      }),
      fc.record({ call: fc.constantFrom("get" as const, "peek" as const, "delete" as const), key }),
      fc.record({ call: fc.constant("advance" as const), by: fc.nat(20) }),
      fc.record({ call: fc.constant("sweep" as const), checks: fc.nat(20), removals: fc.nat(5) }),
      fc.record({ call: fc.constant("deleteMatching" as const), odd: fc.boolean() }),
      fc.record({ call: fc.constantFrom("keys" as const, "clear" as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
        const { clock, store } = open();
        const model = new Map<string, Held>();
        const live = (key: string): Held | undefined => {
          const held = model.get(key);
          return held !== undefined && held.expiresAt > clock.now() ? held : undefined;
        };
        const liveKeys = (): string[] => [...model.keys()].filter(live);
        for (const each of steps) {
          if (each.call === "put") {
            const { key, value, weight, ttlMs, staleMs } = each;
            const entry = entryOf(key, value, { clock, ttlMs, staleMs });
            assert.equal(store.put(entry, weight), true);
            const { expiresAt, staleUntil } = entry;
            model.set(key, { expiresAt, staleUntil, value, weight });
          } else if (each.call === "get" || each.call === "peek") {
            assert.equal(store[each.call](each.key)?.value(), live(each.key)?.value);
          } else if (each.call === "delete") {
            assert.equal(store.delete(each.key), live(each.key) !== undefined);
            model.delete(each.key);
          } else if (each.call === "advance") {
            clock.advance(each.by);
          } else if (each.call === "sweep") {
            const { checked, removed } = store.sweep(each.checks, each.removals);
            assert.ok(checked <= each.checks && removed <= each.removals);
          } else if (each.call === "deleteMatching") {
            const matches = (key: string): boolean => Number(key.slice(4)) % 2 === Number(each.odd);
            assert.equal(store.deleteMatching(matches), liveKeys().filter(matches).length);
            for (const key of [...model.keys()].filter(matches)) model.delete(key);
          } else if (each.call === "clear") {
            assert.equal(store.clear(), liveKeys().length);
            model.clear();
          } else {
            assert.deepStrictEqual([...store.keys()].sort(), liveKeys().sort());
          }
          // What is over leaves at some time, and only then.
          for (const [key, { staleUntil }] of model) {
            if (!store.holds(key)) {
              assert.ok(staleUntil <= clock.now(), `${key} left too early`);
              model.delete(key);
            }
          }
          assert.equal(store.size, model.size);
          const held = [...model.values()];
          assert.equal(store.weight, held.reduce((sum, { weight }) => sum + weight, 0));
          assert.equal(store.mortals, held.filter((one) => one.staleUntil < Infinity).length);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("sweep() looks at every place in as many calls as it takes", () => {
    const { clock, store } = open();
    for (let n = 0; n < 100; n++) store.put(entryOf(`key ${n}`, n, { clock, ttlMs: 10 }), 1);
    clock.advance(10);
    for (let call = 0; call < 10; call++) {
      assert.deepStrictEqual(store.sweep(10, 10), { checked: 10, removed: 10 });
    }
    assert.equal(store.size, 0);
    assert.equal(store.expirations, 100);
  });

  it("sweep() goes on where removals ended it", () => {
    const { clock, store } = open();
    for (let n = 0; n < 10; n++) store.put(entryOf(`key ${n}`, n, { clock, ttlMs: 10 }), 1);
    clock.advance(10);
    assert.deepStrictEqual(store.sweep(100, 4), { checked: 4, removed: 4 });
    assert.deepStrictEqual(store.sweep(100, 100), { checked: 10, removed: 6 });
  });

  it("keys() ends when its caller takes out and puts back each key it is given", () => {
    const { clock, store } = open();
    for (const key of ["a", "b", "c"]) store.put(entryOf(key, 1, { clock }), 1);
    const seen: string[] = [];
    for (const key of store.keys()) {
      seen.push(key);
      store.delete(key);
      store.put(entryOf(key, 2, { clock }), 1);
    }
    assert.deepStrictEqual(seen, ["a", "b", "c"]);
  });

  it("keys() leaves out what was deleted before its turn", () => {
    const { clock, store } = open();
    for (const key of ["a", "b", "c"]) store.put(entryOf(key, 1, { clock }), 1);
    const seen: string[] = [];
    for (const key of store.keys()) {
      seen.push(key);
      store.delete("b");
    }
    assert.deepStrictEqual(seen, ["a", "c"]);
  });
});
