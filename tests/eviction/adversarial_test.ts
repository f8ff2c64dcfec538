import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeyHash } from "../../backends/_key_hash.ts";
import { MemoryStore } from "../../backends/memory/memory_store.ts";
import {
  createEvictionPolicy,
  type EvictionPolicyName,
  evictionPolicyNames,
} from "../../src/eviction/policies.ts";
import { entryOf } from "../fakes/entries.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { seededRandom } from "../fakes/seeded_random.ts";
import { bursts, flood, loop, zipf } from "./request_streams.ts";

/** Policies that are to hold out against whatever comes. */
const ROBUST: readonly EvictionPolicyName[] = ["auto", "w-tiny-lfu", "s3-fifo"];

function openStore(
  policy: EvictionPolicyName,
  { maxWeight = Infinity, maxEntries = Infinity },
): MemoryStore {
  const limits = { maxWeight, maxEntries };
  return new MemoryStore(new FakeClock(), createEvictionPolicy(policy, limits), limits);
}

/** Asks for keys and stores what is missing. @returns hits, in percent. */
function hitRatio(
  store: MemoryStore,
  requests: Iterable<number>,
  weightOf: (key: number) => number = () => 1,
  counts: (key: number) => boolean = () => true,
): number {
  let hits = 0;
  let all = 0;
  for (const number of requests) {
    const key = `key ${number}`;
    const isHit = store.get(key) !== undefined;
    if (!isHit) store.put(entryOf(key, number), weightOf(number));
    if (!counts(number)) continue;
    all++;
    if (isHit) hits++;
  }
  return 100 * hits / all;
}

/** Takes turns: one of the first, then `times` of the second. */
function* mixed(
  first: Iterator<number>,
  second: Iterator<number>,
  times: number,
): Generator<number> {
  for (let next = first.next(); !next.done; next = first.next()) {
    yield next.value;
    for (let turn = 0; turn < times; turn++) {
      const other = second.next();
      if (!other.done) yield other.value;
    }
  }
}

/** Bursts and a scan in turn, each for a while. */
function* scansAndBursts(rounds: number): Generator<number> {
  for (let round = 1; round <= rounds; round++) {
    yield* bursts(60, 6000, round * 1_000_000);
    yield* loop(400, 6000);
    yield* flood(500, round * 1_000_000 + 500_000);
  }
}

describe("eviction under attack", () => {
  for (const policy of ROBUST) {
    it(`${policy} keeps a hot set through a flood of keys that come once`, () => {
      const hot = 60;
      const store = openStore(policy, { maxEntries: 100 });
      const random = seededRandom(4);
      function* hotKeys(): Generator<number> {
        for (let request = 0; request < 20_000; request++) yield Math.floor(random() * hot);
      }
      hitRatio(store, hotKeys());
      const requests = mixed(hotKeys(), flood(100_000, 1000), 3);
      const ratio = hitRatio(store, requests, undefined, (key) => key < hot);
      assert.ok(ratio > 80, `${ratio} % of what is hot`);
      assert.equal(store.size, 100);
    });
  }

  it("auto is never far below lru where scans and bursts take turns, and above it on the whole", () => {
    for (const maxEntries of [50, 150, 350]) {
      const auto = hitRatio(openStore("auto", { maxEntries }), scansAndBursts(8));
      const lru = hitRatio(openStore("lru", { maxEntries }), scansAndBursts(8));
      assert.ok(auto > lru - 2, `${maxEntries} entries: auto ${auto}, lru ${lru}`);
    }
  });

  it("auto evicts nothing beyond what has to leave when it changes its mind", () => {
    const store = openStore("auto", { maxEntries: 200 });
    let evicted = 0;
    let added = 0;
    for (const number of scansAndBursts(4)) {
      const key = `key ${number}`;
      if (store.get(key) !== undefined) continue;
      store.put(entryOf(key, number), 1);
      added++;
      assert.equal(store.size, Math.min(added, 200));
      evicted = store.evictions;
    }
    assert.equal(evicted, added - 200);
  });

  for (const policy of evictionPolicyNames) {
    it(`${policy} works on where the hashes of all keys are the same`, () => {
      const limits = { maxWeight: Infinity, maxEntries: 50 };
      const colliding = createEvictionPolicy(policy, limits);
      const slotOf = new Map<number, number>();
      const keyOf: number[] = [];
      let hits = 0;
      const requests = [...bursts(10, 9000, 0)];
      for (const key of requests) {
        const held = slotOf.get(key);
        if (held !== undefined) {
          colliding.touch(held);
          hits++;
          continue;
        }
        const slot = slotOf.size < 50 ? slotOf.size : colliding.evict();
        slotOf.delete(keyOf[slot]!);
        colliding.add(slot, 1, 42);
        slotOf.set(key, slot);
        keyOf[slot] = key;
      }
      assert.equal(slotOf.size, 50);
      // What counts by hashes cannot tell keys apart then, but has to let some in.
      assert.ok(hits > 0);
    });
  }

  it("keys that were made to collide do not with a seed that their maker does not know", () => {
    const known = new KeyHash(1, 2);
    const seen = new Map<number, string>();
    const pairs: [string, string][] = [];
    for (let at = 0; pairs.length < 20; at++) {
      const key = `key-${at.toString(36)}`;
      const low = known.lowOf(key);
      const other = seen.get(low);
      if (other !== undefined) pairs.push([key, other]);
      seen.set(low, key);
    }
    // Of many seeds: a hash that only begins elsewhere keeps the collisions of some.
    for (let turn = 0; turn < 2000; turn++) {
      const hash = KeyHash.random();
      const still = pairs.filter(([one, other]) => hash.lowOf(one) === hash.lowOf(other));
      assert.ok(still.length <= 2, `${still.length} of 20 still collide`);
    }
  });

  it("a few bytes of difference do not make entries of a loop take turns", () => {
    for (const policy of ["auto", "w-tiny-lfu"] as const) {
      const alike = hitRatio(
        openStore(policy, { maxWeight: 100_000 }),
        loop(250, 50_000),
        () => 500,
      );
      const nearly = hitRatio(
        openStore(policy, { maxWeight: 100_000 }),
        loop(250, 50_000),
        (key) => 480 + 40 * (key * 7 % 11) / 10,
      );
      assert.ok(nearly > alike - 3, `${policy}: ${nearly} %, of equal weights ${alike} %`);
    }
  });
});

describe("weights", () => {
  const MAX_WEIGHT = 1000;

  for (const policy of evictionPolicyNames) {
    it(`${policy} takes weights from 1 to all there is, and holds to the limit`, () => {
      const weight = fc.oneof(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: MAX_WEIGHT }),
        fc.constantFrom(1, MAX_WEIGHT),
      );
      const step = fc.record({ key: fc.nat(60), weight, isRead: fc.boolean() });
      fc.assert(
        fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
          const store = openStore(policy, { maxWeight: MAX_WEIGHT });
          const weights = new Map<string, number>();
          for (const { key: number, weight, isRead } of steps) {
            const key = `key ${number}`;
            if (isRead) store.get(key);
            else {
              assert.equal(store.put(entryOf(key, number), weight), true);
              assert.ok(store.holds(key));
              weights.set(key, weight);
            }
            const sum = [...store.keys()].reduce((total, each) => total + weights.get(each)!, 0);
            assert.equal(store.weight, sum);
            assert.ok(sum <= MAX_WEIGHT);
          }
        }),
        { numRuns: 40 },
      );
    });

    it(`${policy} evicts nothing for an entry that is larger than all there is`, () => {
      const store = openStore(policy, { maxWeight: MAX_WEIGHT });
      for (let at = 0; at < 100; at++) store.put(entryOf(`key ${at}`, at), 10);
      assert.equal(store.put(entryOf("too large", 0), MAX_WEIGHT + 1), false);
      assert.deepEqual([store.size, store.weight, store.evictions], [100, MAX_WEIGHT, 0]);
      assert.equal(store.put(entryOf("all", 0), MAX_WEIGHT), true);
      assert.deepEqual([...store.keys()], ["all"]);
    });
  }

  it("auto hits more than lru where sizes differ by a thousand times", () => {
    const weightOf = (key: number): number => Math.ceil(2 ** ((key * 7919) % 1000 / 100));
    const ratio = (policy: EvictionPolicyName): number =>
      hitRatio(openStore(policy, { maxWeight: 40_000 }), zipf(5000, 60_000, 0.8, 9), weightOf);
    const [auto, lru] = [ratio("auto"), ratio("lru")];
    assert.ok(auto > lru + 5, `auto ${auto}, lru ${lru}`);
  });
});
