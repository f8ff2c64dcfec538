import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isCacheError } from "../../src/errors.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import type { CacheBackend } from "../../src/types.ts";
import { entryOf } from "../fakes/entries.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { FlakyBackend } from "../fakes/flaky_backend.ts";
import { MapBackend } from "../fakes/map_backend.ts";
import { settle } from "../fakes/settle.ts";
import { SteppedBackend } from "../fakes/stepped_backend.ts";
import { SyncBackend, type SyncMethod } from "../fakes/sync_backend.ts";
import { watchEvents } from "../fakes/watch_events.ts";

const DEADLINE_MS = 2000;

type Method = "get" | "getMany" | "set" | "setMany" | "delete" | "deleteMany" | "exists" | "clear";

/** How a method goes wrong. */
const FAULTS: Readonly<Record<string, () => unknown>> = {
  "rejects": () => Promise.reject(new Error("broken")),
  "throws where it should reject": () => {
    throw new Error("broken");
  },
  "rejects with nothing": () => Promise.reject(undefined),
  "hangs": () => new Promise(() => {}),
};

/** A tier with batches, all of whose methods can be made to go wrong. */
class BadBackend extends SteppedBackend {
  fault: (() => unknown) | undefined;

  constructor(clock: FakeClock) {
    super("bad", { hasBatches: true, clock });
    this.isFlowing = true;
    const methods: Method[] = [
      ...["get", "getMany", "set", "setMany", "delete", "deleteMany", "exists", "clear"] as const,
    ];
    for (const method of methods) {
      const original = (this as CacheBackend)[method] as (...args: unknown[]) => unknown;
      Object.defineProperty(this, method, {
        value: (...args: unknown[]) =>
          this.fault === undefined ? original.apply(this, args) : this.fault(),
      });
    }
  }
}

interface Stack {
  readonly cache: CacheManager;
  readonly clock: FakeClock;
  readonly bad: BadBackend;
  readonly good: MapBackend;
  readonly errors: { readonly tier: string; readonly operation: string; readonly error: unknown }[];
}

async function open(badFirst: boolean): Promise<Stack> {
  const clock = new FakeClock();
  const bad = new BadBackend(clock);
  const good = new MapBackend(clock, "good");
  const tier = { backend: bad, deadline: DEADLINE_MS / 1000 };
  const cache = await CacheManager.open({
    backends: badFirst ? [tier, good] : [good, tier],
    clock,
  });
  return { cache, clock, bad, good, errors: watchEvents(cache, "tierError") };
}

/** Waits for a call, the clock going on until it has ended. @returns how long that took. */
async function timed<T>(clock: FakeClock, call: Promise<T>): Promise<{ value: T; took: number }> {
  const start = clock.now();
  let hasEnded = false;
  const end = (): void => void (hasEnded = true);
  call.then(end, end);
  await settle();
  while (!hasEnded && clock.now() - start < 10 * DEADLINE_MS) await clock.advanceAsync(100);
  assert.ok(hasEnded, "the call does not end");
  return { value: await call, took: clock.now() - start };
}

describe("a tier that goes wrong", () => {
  for (const [fault, fails] of Object.entries(FAULTS)) {
    for (const badFirst of [true, false]) {
      const place = badFirst ? "first" : "last";
      const expectedTime = fault === "hangs" ? DEADLINE_MS : 0;

      it(`and is ${place} and ${fault}: reads are answered by the others`, async () => {
        const reads: readonly (readonly [
          read: (cache: CacheManager) => Promise<unknown>,
          expected: unknown,
        ])[] = [
          [(cache) => cache.get("a"), "a"],
          [(cache) => cache.getMany(["a", "b", "a"]), ["a", "b", "a"]],
          [(cache) => cache.exists("b"), true],
          [(cache) => cache.getOrSet("a", () => "loaded"), "a"],
          [(cache) => cache.getOrSetMany(["b"], () => ["loaded"]), ["b"]],
        ];
        for (const [read, expected] of reads) {
          const { cache, clock, bad, good, errors } = await open(badFirst);
          await cache.setMany(["a", "b"].map((key) => ({ key, value: key })));
          bad.fault = fails;
          const { value, took } = await timed(clock, read(cache));
          assert.deepEqual(value, expected);
          assert.equal(took, badFirst ? expectedTime : 0);
          assert.equal(errors[0]?.tier, badFirst ? "bad" : undefined);
          await good.clear();
          assert.equal((await timed(clock, cache.get("a"))).value, undefined);
        }
      });

      it(`and is ${place} and ${fault}: writes are done in the others, told, and never read back as older`, async () => {
        const writes: readonly (readonly [
          write: (cache: CacheManager) => Promise<unknown>,
          answer: unknown,
          left: readonly unknown[],
        ])[] = [
          [(cache) => cache.set("a", "new"), false, ["new", "old"]],
          [
            (cache) => cache.setMany(["a", "b"].map((key) => ({ key, value: "new" }))),
            false,
            ["new", "new"],
          ],
          [(cache) => cache.delete("a"), true, [undefined, "old"]],
          [(cache) => cache.deleteMany(["a", "b"]), 2, [undefined, undefined]],
          [(cache) => cache.getOrSet("c", () => "new"), "new", ["old", "old"]],
        ];
        for (const [write, answer, left] of writes) {
          const { cache, clock, bad, good, errors } = await open(badFirst);
          await cache.setMany(["a", "b"].map((key) => ({ key, value: "old" })));
          bad.fault = fails;
          const { value, took } = await timed(clock, write(cache));
          assert.deepEqual(value, answer);
          assert.ok(took <= 2 * expectedTime, `${took}`);
          assert.ok(errors.length > 0 && errors.every(({ tier }) => tier === "bad"));
          if (fault === "hangs") {
            assert.ok(errors.every(({ error }) => isCacheError(error, "timeout")));
          }
          const { tiers } = (await timed(clock, cache.getStats())).value;
          const { errors: counted, timeouts } = tiers.find(({ name }) => name === "bad")!;
          assert.equal(counted, errors.length);
          assert.equal(timeouts, fault === "hangs" ? errors.length : 0);

          bad.fault = undefined;
          assert.deepEqual(await cache.getMany(["a", "b"]), left);
          await good.clear();
          for (const [at, key] of ["a", "b"].entries()) {
            const found = await cache.get(key);
            assert.ok(found === left[at] || found === undefined, `${key} is ${found}`);
          }
          await timed(clock, cache.flush());
          // By then a write that never ends is no longer waited for.
          if (fault === "hangs") await clock.advanceAsync(2 * DEADLINE_MS);
          assert.equal(await cache.set("a", "newest"), true);
          await good.clear();
          assert.equal(await cache.get("a"), "newest");
        }
      });
    }
  }

  it("and fails to clear: what is there is not read any more, what is written later is", async () => {
    for (const pattern of [undefined, "a*"]) {
      const { cache, bad, good, errors } = await open(false);
      await cache.setMany(["a1", "a2", "b"].map((key) => ({ key, value: "old" })));
      bad.fault = FAULTS["rejects"];
      assert.equal(await cache.clear(pattern), pattern === undefined ? 3 : 2);
      assert.deepEqual(errors.map(({ operation }) => operation), ["clear"]);
      bad.fault = undefined;
      await good.clear();
      const b = pattern === undefined ? undefined : "old";
      assert.deepEqual(await cache.getMany(["a1", "a2", "b"]), [undefined, undefined, b]);
      assert.equal(await cache.exists("a2"), false);
      await cache.set("a1", "new");
      await good.clear();
      assert.equal(await cache.get("a1"), "new");
      assert.equal(await cache.get("a2"), undefined);
      await cache.flush();
      assert.equal(bad.frames.has("a2"), false, "mended by the read");
      assert.equal(await cache.clear(), 2);
    }
  });

  it("and answers the entry of another key: a miss, told, and never its value", async () => {
    for (const hasBatches of [true, false]) {
      const clock = new FakeClock();
      const wrong = new SteppedBackend("wrong", { clock, hasBatches });
      wrong.isFlowing = true;
      const read = wrong.read.bind(wrong);
      wrong.read = (key) => read(key) && entryOf(`not ${key}`, "wrong");
      const good = new MapBackend(clock, "good");
      await using cache = await CacheManager.open({ backends: [wrong, good], clock });
      const corrupt = watchEvents(cache, "corrupt");
      await cache.setMany(["a", "b"].map((key) => ({ key, value: key })));
      assert.equal(await cache.get("a"), "a");
      assert.deepEqual(await cache.getMany(["b", "a"]), ["b", "a"]);
      await good.clear();
      assert.equal(await cache.get("a"), undefined);
      assert.deepEqual(await cache.getMany(["a", "b"]), [undefined, undefined]);
      assert.deepEqual(corrupt.map(({ tier, key }) => [tier, key]), [
        ["wrong", "a"],
        ["wrong", "b"],
        ["wrong", "a"],
        ["wrong", "a"],
        ["wrong", "a"],
        ["wrong", "b"],
      ]);
      assert.ok(corrupt.every(({ error }) => isCacheError(error, "corrupt")));
    }
  });

  it("and answers what is no entry: a miss", async () => {
    for (const answer of [null, {}, "text", 0, { key: "a" }, { key: "a", tags: [], value: 1 }]) {
      const { cache, bad, good } = await open(true);
      await cache.set("a", "good");
      bad.fault = () => Promise.resolve(answer);
      assert.equal(await cache.get("a"), "good");
      bad.fault = () => Promise.resolve([answer]);
      assert.deepEqual(await cache.getMany(["a"]), ["good"]);
      bad.fault = undefined;
      await good.clear();
      await cache.flush();
    }
  });

  it("and answers a batch of a wrong length: a failure, and each key is looked for elsewhere", async () => {
    for (const answer of [[], [undefined], [1, 2, 3], undefined, null, "ab", { length: 2 }]) {
      const { cache, bad, errors } = await open(true);
      const entries = ["a", "b"].map((key) => ({ key, value: key }));
      await cache.setMany(entries);
      bad.fault = () => Promise.resolve(answer);
      assert.deepEqual(await cache.getMany(["a", "b"]), ["a", "b"]);
      assert.equal(await cache.setMany(entries), false);
      bad.fault = undefined;
      assert.deepEqual(errors.map(({ operation }) => operation).slice(0, 2), ["read", "write"]);
      assert.deepEqual(await cache.getMany(["a", "b"]), ["a", "b"]);
    }
  });

  it("and gives bytes that do not decode: a miss, told, and repaired from a slower tier", async () => {
    const clock = new FakeClock();
    const flaky = new FlakyBackend(new MapBackend(clock, "flaky"), () => 0);
    const good = new MapBackend(clock, "good");
    await using cache = await CacheManager.open({ backends: [flaky, good], clock });
    const corrupt = watchEvents(cache, "corrupt");
    const promotions = watchEvents(cache, "promotion");
    await cache.set("key", { a: 1 });
    flaky.faults = { garbled: 1 };
    assert.deepEqual(await cache.get("key"), { a: 1 });
    await cache.flush();
    assert.deepEqual(corrupt.map(({ tier, key }) => [tier, key]), [["flaky", "key"]]);
    assert.ok(isCacheError(corrupt[0]!.error, "corrupt"));
    assert.deepEqual(promotions, [{ key: "key", from: "good", to: "flaky" }]);
    assert.equal(flaky.calls.includes("delete"), true);
    flaky.faults = {};
    await good.clear();
    assert.deepEqual(await cache.get("key"), { a: 1 });
    const [tier] = (await cache.getStats()).tiers;
    assert.deepEqual([tier!.hits, tier!.misses], [1, 1]);
  });

  it("and hangs for a while: what it does late counts for the write that it was", async () => {
    const clock = new FakeClock();
    const slow = new SteppedBackend("slow", { clock, isDeaf: true });
    await using cache = await CacheManager.open({
      backends: [{ backend: slow, deadline: DEADLINE_MS / 1000 }],
      clock,
    });
    const first = timed(clock, cache.set("key", "first"));
    assert.equal((await first).value, false);
    assert.equal(await cache.get("key"), undefined, "nobody knows what stands there");
    const second = cache.set("key", "second");
    await clock.advanceAsync(DEADLINE_MS / 2);
    slow.flow();
    assert.equal(await second, true);
    assert.equal(await cache.get("key"), "second");
    assert.equal(await slow.read("key")!.value(), "second");
  });

  it("and hangs in one write: clears, flushes and other keys wait for it no longer than its deadline", async () => {
    const clock = new FakeClock();
    const slow = new SteppedBackend("slow", { clock, isDeaf: true });
    slow.isFlowing = true;
    const cache = await CacheManager.open({
      backends: [{ backend: slow, deadline: DEADLINE_MS / 1000 }],
      clock,
    });
    await cache.setMany(["a", "b"].map((key) => ({ key, value: "old" })));
    slow.isFlowing = false;
    const hung = cache.set("a", "hung");
    await settle();
    slow.isFlowing = true;
    const hungStep = slow.steps[0]!;
    assert.equal(await cache.get("b"), "old");
    assert.equal((await timed(clock, cache.clear())).took, DEADLINE_MS);
    assert.equal(await hung, false);
    assert.equal((await timed(clock, cache.flush())).took, DEADLINE_MS);
    assert.equal(await cache.set("b", "new"), true);
    assert.equal(await cache.get("b"), "new");
    hungStep.finish();
    await settle();
    assert.equal(await cache.get("a"), undefined, "it was cleared after it was set");
    await cache.flush();
    assert.equal(await cache.set("a", "new"), true);
    assert.equal(await cache.get("a"), "new");
  });

  it("and does a write long after its time: what came after it is not read as if it were whole", async () => {
    const clock = new FakeClock();
    const slow = new SteppedBackend("slow", { clock, isDeaf: true });
    await using cache = await CacheManager.open({
      backends: [{ backend: slow, deadline: DEADLINE_MS / 1000 }],
      coordination: { recoveryPeriod: "1h" },
      clock,
    });
    assert.equal((await timed(clock, cache.set("key", "hung"))).value, false);
    const hung = slow.step("set");
    await clock.advanceAsync(DEADLINE_MS);
    slow.isFlowing = true;
    assert.equal(await cache.set("key", "new"), true);
    assert.equal(await cache.get("key"), "new");
    hung.finish();
    await settle();
    assert.equal(await cache.get("key"), undefined);
    await cache.flush();
    assert.equal(slow.frames.has("key"), false, "mended by the read");
    assert.equal(await cache.set("key", "newest"), true);
    assert.equal(await cache.get("key"), "newest");
  });

  it("and hangs in clear(): the caller can give up, and its keys are not written meanwhile", async () => {
    const clock = new FakeClock();
    const slow = new SteppedBackend("slow", { clock, isDeaf: true });
    await using cache = await CacheManager.open({
      backends: [{ backend: slow, deadline: DEADLINE_MS / 1000 }],
      clock,
    });
    const controller = new AbortController();
    const cleared = cache.clear(undefined, controller);
    await settle();
    const written = timed(clock, cache.set("key", 1));
    assert.deepEqual(await written, { value: false, took: DEADLINE_MS });
    controller.abort(new Error("enough"));
    await assert.rejects(cleared, { message: "enough" });
    slow.flow();
    await settle();
    assert.equal(await cache.set("key", 2), true);
    assert.equal(await cache.get("key"), 2);
  });

  it("and fails to say what it holds: statistics are there without it", async () => {
    const { cache, bad } = await open(true);
    bad.getStats = () => Promise.reject(new Error("broken"));
    const { tiers } = await cache.getStats();
    assert.deepEqual(tiers.map(({ name, entries }) => [name, entries]), [
      ["bad", undefined],
      ["good", 0],
    ]);
  });

  it("a write that fails after another of its key has been mended by it", async () => {
    const clock = new FakeClock();
    const slow = new SteppedBackend("slow", { clock });
    await using cache = await CacheManager.open({ backends: [slow], clock });
    const failing = cache.set("key", "first");
    slow.step("set").fail();
    assert.equal(await failing, false);
    const writing = cache.set("key", "second");
    const reading = cache.get("key");
    await settle();
    slow.flow();
    assert.equal(await writing, true);
    assert.equal(await reading, undefined);
    await cache.flush();
    assert.equal(await cache.get("key"), "second", "the mending of the first spared the second");
  });
});

describe("a read of a key whose write has failed", () => {
  const open = async (hasBatches: boolean) => {
    const clock = new FakeClock();
    const slow = new SteppedBackend("slow", { clock, hasBatches });
    slow.isFlowing = true;
    const cache = await CacheManager.open({ backends: [slow], clock });
    await cache.setMany(["key", "other"].map((key) => ({ key, value: "old" })));
    slow.isFlowing = false;
    return { cache, slow };
  };

  it("does not give the older value, also when it began before the failure", async () => {
    for (const hasBatches of [true, false]) {
      const { cache, slow } = await open(hasBatches);
      const reads = [cache.get("key"), cache.getMany(["key"])];
      await settle();
      for (const step of slow.steps) step.advance();
      const failing = cache.set("key", "new");
      slow.step("set").fail();
      assert.equal(await failing, false);
      slow.flow();
      assert.deepEqual(await Promise.all(reads), [undefined, [undefined]]);
    }
  });

  it("does not give the older value, also when the key is mended while it is under way", async () => {
    const { cache, slow } = await open(true);
    const failing = cache.set("key", "new");
    slow.step("set").fail();
    await failing;
    const batch = cache.getMany(["key", "other"]);
    await settle();
    assert.deepEqual(slow.step("getMany").keys, ["other"]);
    slow.flow();
    assert.deepEqual(await batch, [undefined, "old"]);
    await cache.flush();
    assert.equal(slow.frames.has("key"), false);
  });
});

describe("a tier in memory that goes wrong", () => {
  const broken = new Error("broken");

  async function openMemory(): Promise<{
    cache: CacheManager;
    memory: SyncBackend;
    good: MapBackend;
    errors: Stack["errors"];
  }> {
    const clock = new FakeClock();
    const memory = new SyncBackend(clock, "memory");
    const good = new MapBackend(clock, "good");
    const cache = await CacheManager.open({ backends: [memory, good], clock });
    return { cache, memory, good, errors: watchEvents(cache, "tierError") };
  }

  it("in getSync: reads are answered by the others, and the failure told once a read", async () => {
    const { cache, memory, errors } = await openMemory();
    await cache.set("key", 1);
    memory.faults.set("getSync", broken);
    assert.equal(await cache.get("key"), 1);
    assert.equal(await cache.get("key", {}), 1);
    assert.deepEqual(await cache.getMany(["key"]), [1]);
    assert.equal(await cache.getOrSet("key", () => 2), 1);
    assert.deepEqual(await cache.getOrSetMany(["key"], () => [2]), [1]);
    assert.deepEqual(errors.map(({ tier, operation, error }) => [tier, operation, error]), [
      ...Array(5).fill(["memory", "read", broken]),
    ]);
  });

  it("over a store that answers at once: reads are answered, failures told, and old values mended", async () => {
    const clock = new FakeClock();
    const memory = new SyncBackend(clock, "memory");
    const disk = new SteppedBackend("disk", { clock, isInstant: true });
    disk.isFlowing = true;
    await using cache = await CacheManager.open({ backends: [memory, disk], clock });
    const errors = watchEvents(cache, "tierError");
    await cache.set("key", "old");
    memory.faults.set("getSync", broken);
    assert.equal(await cache.get("key"), "old");
    assert.deepEqual(errors.splice(0).map(({ tier, operation }) => [tier, operation]), [
      ["memory", "read"],
    ]);
    await cache.flush();
    memory.faults.clear();
    memory.entries.clear();
    memory.faults.set("set", broken);
    assert.equal(await cache.get("key"), "old");
    assert.deepEqual(errors.splice(0).map(({ tier, operation }) => [tier, operation]), [
      ["memory", "write"],
    ]);
    memory.faults.clear();
    assert.equal(await cache.get("key"), "old");
    memory.faults.set("set", broken);
    assert.equal(await cache.set("key", "new"), false);
    memory.faults.clear();
    assert.equal(await cache.get("key"), "new");
    await cache.flush();
    assert.equal(await cache.get("key"), "new");
    await cache.flush();
    assert.equal(cache.peek("key"), "new", "mended and promoted");
  });

  it("in peek: a miss, told", async () => {
    const { cache, memory, errors } = await openMemory();
    await cache.set("key", 1);
    memory.faults.set("peek", broken);
    assert.equal(cache.peek("key"), undefined);
    assert.deepEqual(errors.map(({ operation }) => operation), ["peek"]);
  });

  it("in answers: null is a miss, and so is an entry that is not alive", async () => {
    const { cache, memory } = await openMemory();
    await cache.set("key", 1);
    memory.getSync = () => null as never;
    memory.peek = () => null as never;
    assert.equal(await cache.get("key"), 1);
    assert.equal(cache.peek("key"), undefined);
  });

  const writes: readonly (readonly [
    call: string,
    method: SyncMethod,
    write: (cache: CacheManager) => Promise<unknown>,
    left: unknown,
  ])[] = [
    ["set()", "set", (cache) => cache.set("key", "new"), "new"],
    ["setMany()", "set", (cache) => cache.setMany([{ key: "key", value: "new" }]), "new"],
    ["delete()", "delete", (cache) => cache.delete("key"), undefined],
    ["deleteMany()", "delete", (cache) => cache.deleteMany(["key"]), undefined],
    ["clear()", "clear", (cache) => cache.clear(), undefined],
  ];
  for (const [call, method, write, left] of writes) {
    it(`in ${call}: what it held is not read any more, until it is mended`, async () => {
      const { cache, memory, errors } = await openMemory();
      await cache.set("key", "old");
      memory.faults.set(method, broken);
      await write(cache);
      assert.deepEqual(errors.map(({ tier, error }) => [tier, error]), [["memory", broken]]);
      memory.faults.clear();
      assert.equal(await memory.entries.get("key")!.value(), "old");
      assert.equal(cache.peek("key"), undefined);
      assert.equal(await cache.get("key"), left);
      await cache.flush();
      assert.notEqual(await memory.entries.get("key")?.value(), "old");
      assert.equal(await cache.get("key"), left);
      await cache.flush();
      assert.equal(cache.peek("key"), left);
    });
  }
});
