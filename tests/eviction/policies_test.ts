import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEvictionPolicy, evictionPolicyNames } from "../../src/eviction/policies.ts";
import type { EvictionLimits, EvictionPolicy } from "../../src/eviction/eviction_policy.ts";
import { keyHash } from "../../src/eviction/key_hash.ts";
import { bursts, hotSetWithScans, loop, zipf } from "./request_streams.ts";
import { POLICY_MODELS } from "./models.ts";

const MAX_WEIGHT = 100;

interface Step {
  readonly kind: "add" | "touch" | "reweigh" | "remove" | "evict" | "clear";
  /** Chooses a slot in use, or a key to add. */
  readonly pick: number;
  readonly weight: number;
}

const steps = fc.array(
  fc.record<Step>({
    kind: fc.oneof(
      { weight: 80, arbitrary: fc.constant("add" as const) },
      { weight: 80, arbitrary: fc.constant("touch" as const) },
      { weight: 20, arbitrary: fc.constant("reweigh" as const) },
      { weight: 20, arbitrary: fc.constant("remove" as const) },
      { weight: 50, arbitrary: fc.constant("evict" as const) },
      { weight: 1, arbitrary: fc.constant("clear" as const) },
    ),
    pick: fc.nat(60),
    weight: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(MAX_WEIGHT)),
  }),
  { maxLength: 400, size: "max" },
);

/** Hands out slots as a store does: the one freed last, else the lowest that was never used. */
class Slots {
  readonly inUse: number[] = [];
  readonly #free: number[] = [];
  #next = 0;

  take(): number {
    const slot = this.#free.pop() ?? this.#next++;
    this.inUse.push(slot);
    return slot;
  }

  free(slot: number): void {
    this.inUse.splice(this.inUse.indexOf(slot), 1);
    this.#free.push(slot);
  }

  clear(): void {
    this.inUse.length = 0;
    this.#free.length = 0;
    this.#next = 0;
  }
}

function play(sequence: readonly Step[], policy: EvictionPolicy, model: EvictionPolicy): void {
  const slots = new Slots();
  const both = [policy, model];
  for (const { kind, pick, weight } of sequence) {
    const slot = slots.inUse[pick % slots.inUse.length];
    if (kind === "add") {
      const added = slots.take();
      for (const each of both) each.add(added, weight, pick);
    } else if (kind === "clear") {
      for (const each of both) each.clear();
      slots.clear();
    } else if (kind === "evict") {
      const victim = policy.evict();
      assert.equal(victim, model.evict());
      assert.equal(victim < 0, slots.inUse.length === 0);
      if (victim >= 0) slots.free(victim);
    } else if (slot !== undefined) {
      for (const each of both) {
        if (kind === "touch") each.touch(slot);
        else if (kind === "reweigh") each.reweigh(slot, weight);
        else each.remove(slot);
      }
      if (kind === "remove") slots.free(slot);
    }
  }
  while (slots.inUse.length > 0) {
    const victim = policy.evict();
    assert.equal(victim, model.evict());
    slots.free(victim);
  }
  assert.equal(policy.evict(), -1);
}

/** Plays requests as a store does, each miss bringing its key in. */
function replay(
  requests: Iterable<number>,
  maxEntries: number,
  policy: EvictionPolicy,
  model: EvictionPolicy,
): void {
  const slots = new Slots();
  const slotOf = new Map<number, number>();
  const keyOf: number[] = [];
  for (const key of requests) {
    const held = slotOf.get(key);
    if (held !== undefined) {
      policy.touch(held);
      model.touch(held);
      continue;
    }
    if (slotOf.size === maxEntries) {
      const victim = policy.evict();
      assert.equal(victim, model.evict(), `at key ${key}`);
      slotOf.delete(keyOf[victim]!);
      slots.free(victim);
    }
    const slot = slots.take();
    for (const each of [policy, model]) each.add(slot, 1, keyHash(`key ${key}`));
    slotOf.set(key, slot);
    keyOf[slot] = key;
  }
}

function* phases(): Generator<number> {
  for (let round = 0; round < 2; round++) {
    yield* loop(60, 1500);
    yield* bursts(20, 1500, 1000 * (round + 1));
    yield* zipf(200, 1500, 0.9, round);
    yield* hotSetWithScans(20, 1000, round);
  }
}

describe("createEvictionPolicy()", () => {
  it("throws when the name is not known, and names the nearest", () => {
    assert.throws(
      () => createEvictionPolicy("s3fifo", { maxWeight: 1, maxEntries: 1 }),
      new TypeError(
        'Cannot create eviction policy "s3fifo": known are auto, lru, fifo, clock, lfu, sieve, s3-fifo, w-tiny-lfu: did you mean "s3-fifo"?',
      ),
    );
    assert.throws(() => createEvictionPolicy("__proto__", { maxWeight: 1, maxEntries: 1 }));
  });

  for (const name of evictionPolicyNames) {
    const limits: Record<string, EvictionLimits> = {
      weight: { maxWeight: MAX_WEIGHT, maxEntries: Infinity },
      entries: { maxWeight: Infinity, maxEntries: 30 },
      both: { maxWeight: MAX_WEIGHT, maxEntries: 30 },
    };
    describe(name, () => {
      it("bears its name", () => {
        assert.equal(createEvictionPolicy(name, limits["both"]!).name, name);
      });

      for (const [kind, limit] of Object.entries(limits)) {
        it(`picks what its model picks, limited by ${kind}`, () => {
          fc.assert(
            fc.property(steps, (sequence) => {
              play(sequence, createEvictionPolicy(name, limit), POLICY_MODELS[name]!(limit));
            }),
            { numRuns: 60 },
          );
        });
      }

      it("picks what its model picks while loops, bursts, skewed popularity and scans take turns", () => {
        const limit = { maxWeight: Infinity, maxEntries: 40 };
        replay(
          phases(),
          limit.maxEntries,
          createEvictionPolicy(name, limit),
          POLICY_MODELS[name]!(limit),
        );
      });

      it("gives back each of 10,000 slots once, whatever was touched", () => {
        const policy = createEvictionPolicy(name, { maxWeight: Infinity, maxEntries: 10_000 });
        for (let slot = 0; slot < 10_000; slot++) policy.add(slot, 1, slot);
        for (let turn = 0; turn < 50_000; turn++) policy.touch((turn * 7919) % 10_000);
        const seen = new Set<number>();
        for (let slot = policy.evict(); slot >= 0; slot = policy.evict()) seen.add(slot);
        assert.equal(seen.size, 10_000);
      });

      it("takes slots again after clear()", () => {
        const policy = createEvictionPolicy(name, { maxWeight: Infinity, maxEntries: 10 });
        for (let slot = 0; slot < 5; slot++) policy.add(slot, 1, slot);
        policy.clear();
        assert.equal(policy.evict(), -1);
        policy.add(0, 1, 0);
        assert.equal(policy.evict(), 0);
        assert.equal(policy.evict(), -1);
      });
    });
  }
});
