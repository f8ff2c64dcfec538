import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isCacheError } from "../../src/errors.ts";
import type { LoadContext } from "../../src/manager/cache.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { CountingLoader, HeldLoader } from "../fakes/held_loader.ts";
import { settle } from "../fakes/settle.ts";
import { SteppedBackend } from "../fakes/stepped_backend.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";
import { watchEvents } from "../fakes/watch_events.ts";

async function openMemory(): Promise<{ cache: CacheManager; memory: SyncBackend }> {
  const clock = new FakeClock();
  const memory = new SyncBackend(clock);
  return { cache: await CacheManager.open({ backends: [memory], clock }), memory };
}

async function openSlow(
  isFlowing = true,
): Promise<{ cache: CacheManager; slow: SteppedBackend; clock: FakeClock }> {
  const clock = new FakeClock();
  const slow = new SteppedBackend("slow", { clock });
  slow.isFlowing = isFlowing;
  return { cache: await CacheManager.open({ backends: [slow], clock }), slow, clock };
}

/** A batch loader that waits to be answered. */
class HeldManyLoader {
  readonly calls: {
    readonly missing: string[];
    readonly signal: AbortSignal;
    readonly answer: (values?: unknown) => void;
    readonly fail: (reason: unknown) => void;
  }[] = [];

  readonly load = (
    missing: string[],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<string[]> => {
    const { promise, resolve, reject } = Promise.withResolvers<string[]>();
    this.calls.push({
      missing,
      signal,
      answer: (values) => resolve(values as string[] ?? missing.map((key) => key.toUpperCase())),
      fail: reject,
    });
    return promise;
  };
}

describe("CacheManager.getOrSet()", () => {
  it("loads what is missing, once, and stores it with TTL and tags", async () => {
    const { cache, memory } = await openMemory();
    const loader = new CountingLoader();
    assert.equal(await cache.getOrSet("key", loader.load, { ttl: 5, tags: ["t"] }), 1);
    assert.equal(await cache.getOrSet("key", loader.load), 1);
    assert.equal(await cache.getOrSet("key", loader.load, { ttl: 5 }), 1);
    assert.deepEqual(loader.calls, ["key"]);
    assert.equal(memory.entries.get("key")!.expiresAt, 1_700_000_005_000);
    await cache.deleteByTag("t");
    assert.equal(await cache.getOrSet("key", loader.load), 2);
  });

  it("takes values that are there at once, and loaders that are not async", async () => {
    const { cache } = await openMemory();
    assert.equal(await cache.getOrSet("a", () => 1), 1);
    assert.equal(await cache.getOrSet("b", () => Promise.resolve(2)), 2);
    assert.equal(await cache.getOrSet("c", ({ key }: LoadContext) => key), "c");
    assert.deepEqual(await cache.getMany(["a", "b", "c"]), [1, 2, "c"]);
  });

  it("caches null, and passes on undefined without caching it", async () => {
    const { cache } = await openMemory();
    let calls = 0;
    const nothing = () => {
      calls++;
      return undefined;
    };
    assert.equal(await cache.getOrSet("none", nothing), undefined);
    assert.equal(await cache.getOrSet("none", nothing), undefined);
    assert.equal(calls, 2);
    assert.equal(await cache.getOrSet("null", () => null), null);
    assert.equal(await cache.getOrSet("null", () => 1), null);
  });

  it("runs one loader for all who ask at the same time, however they ask", async () => {
    for (const { cache } of [await openMemory(), await openSlow()]) {
      const loader = new HeldLoader();
      const asked = [
        cache.getOrSet("key", loader.load),
        cache.getOrSet("key", loader.load, { ttl: 60 }),
        cache.getOrSetMany(
          ["key"],
          (missing) =>
            Promise.all(
              missing.map((key) => loader.load({ key, signal: new AbortController().signal })),
            ),
        ),
      ];
      await settle();
      assert.equal(loader.calls.length, 1);
      loader.calls[0]!.answer("value");
      assert.deepEqual(await Promise.all(asked), ["value", "value", ["value"]]);
      assert.equal(await cache.get("key"), "value");
    }
  });

  it("a loader that fails gives its caller the error, and the next in line leads with its own", async () => {
    const { cache } = await openMemory();
    const loaders = [new HeldLoader(), new HeldLoader(), new HeldLoader()];
    const asked = loaders.map((loader) => cache.getOrSet("key", loader.load));
    const errors = watchEvents(cache, "loadError");
    await settle();
    const broken = new Error("broken");
    loaders[0]!.calls[0]!.fail(broken);
    await assert.rejects(asked[0]!, broken);
    await settle();
    assert.deepEqual(loaders.map((loader) => loader.calls.length), [1, 1, 0]);
    loaders[1]!.calls[0]!.answer("second");
    assert.deepEqual(await Promise.all(asked.slice(1)), ["second", "second"]);
    assert.deepEqual(errors, [{ key: "key", error: broken }]);
  });

  it("a loader that throws at once fails like any other", async () => {
    const { cache } = await openMemory();
    const thrown = new Error("thrown");
    await assert.rejects(
      cache.getOrSet("key", () => {
        throw thrown;
      }),
      thrown,
    );
    assert.equal(await cache.getOrSet("key", () => "next"), "next");
  });

  it("an abort ends its caller's wait; the loader is told when the last has left", async () => {
    const { cache } = await openMemory();
    const loader = new HeldLoader();
    const controllers = [new AbortController(), new AbortController()];
    const asked = controllers.map((controller) => cache.getOrSet("key", loader.load, controller));
    await settle();
    controllers[0]!.abort(new Error("first"));
    await assert.rejects(asked[0]!, { message: "first" });
    assert.equal(loader.calls[0]!.signal.aborted, false);
    controllers[1]!.abort(new Error("second"));
    await assert.rejects(asked[1]!, { message: "second" });
    assert.equal((loader.calls[0]!.signal.reason as Error).message, "second");
    const late = new HeldLoader();
    const after = cache.getOrSet("key", late.load);
    await settle();
    assert.equal(late.calls.length, 0, "waits for the end of the abandoned one");
    loader.calls[0]!.fail(new Error("aborted"));
    await settle();
    late.calls[0]!.answer("late");
    assert.equal(await after, "late");
  });

  it("does not store what was loaded from before a set, delete or clear of its key", async () => {
    for (const { cache } of [await openMemory(), await openSlow()]) {
      for (
        const [change, left] of [
          [() => cache.delete("key"), undefined],
          [() => cache.deleteMany(["key"]), undefined],
          [() => cache.clear("k*"), undefined],
          [() => cache.clear(), undefined],
          [() => cache.deleteByTag("t"), undefined],
          [() => cache.set("key", "set"), "set"],
          [() => cache.setMany([{ key: "key", value: "set" }]), "set"],
        ] as const
      ) {
        const loader = new HeldLoader();
        const asked = cache.getOrSet("key", loader.load, { tags: ["t"] });
        await settle();
        await change();
        loader.calls[0]!.answer("old");
        assert.equal(await asked, "old");
        assert.equal(await cache.get("key"), left);
        await cache.delete("key");
      }
    }
  });

  it("stores what was loaded while other keys changed", async () => {
    const { cache } = await openMemory();
    const loader = new HeldLoader();
    const asked = cache.getOrSet("key", loader.load, { tags: ["t"] });
    await settle();
    await cache.delete("other");
    await cache.clear("o*");
    await cache.deleteByTag("other");
    loader.calls[0]!.answer("value");
    await asked;
    assert.equal(await cache.get("key"), "value");
  });

  it("who asks after a change of the key never gets what was loaded from before it", async () => {
    for (const { cache } of [await openMemory(), await openSlow()]) {
      for (
        const change of [
          () => cache.delete("key"),
          () => cache.clear(),
          () => cache.deleteByTag("t"),
        ]
      ) {
        const [before, after] = [new HeldLoader(), new HeldLoader()];
        const early = cache.getOrSet("key", before.load, { tags: ["t"] });
        await settle();
        await change();
        const late = cache.getOrSet("key", after.load, { tags: ["t"] });
        const batch = cache.getOrSetMany(["key"], () => ["not asked"]);
        await settle();
        assert.equal(after.calls.length, 0, "one loader at a time");
        before.calls[0]!.answer("old");
        assert.equal(await early, "old");
        await settle();
        after.calls[0]!.answer("new");
        assert.equal(await late, "new");
        assert.deepEqual(await batch, ["new"]);
        assert.equal(await cache.get("key"), "new");
        await cache.delete("key");
      }
    }
  });

  it("who asks after a set gets what was set, without waiting for a loader under way", async () => {
    for (const { cache } of [await openMemory(), await openSlow()]) {
      const loader = new HeldLoader();
      const early = cache.getOrSet("key", loader.load);
      await settle();
      await cache.set("key", "set");
      assert.equal(await cache.getOrSet("key", () => "not asked"), "set");
      loader.calls[0]!.answer("old");
      assert.equal(await early, "old");
      assert.equal(await cache.get("key"), "set");
    }
  });

  it("a delete while the tiers are still read leaves the loader's value to be stored", async () => {
    const { cache, slow } = await openSlow(false);
    const loader = new HeldLoader();
    const asked = cache.getOrSet("key", loader.load);
    await settle();
    const deleted = cache.delete("key");
    slow.flow();
    await deleted;
    await settle();
    loader.calls[0]!.answer("fresh");
    assert.equal(await asked, "fresh");
    assert.equal(await cache.get("key"), "fresh");
  });

  it("who asks after a delete never gets what was read from a tier before it", async () => {
    const { cache, slow } = await openSlow();
    await cache.set("key", "old");
    slow.isFlowing = false;
    const deleted = cache.delete("key");
    const early = cache.getOrSet("key", () => "not asked");
    await settle();
    slow.step("get").advance();
    slow.step("delete").finish();
    await deleted;
    const late = cache.getOrSet("key", () => "new");
    await settle();
    slow.flow();
    assert.equal(await early, "old");
    assert.equal(await late, "new");
    assert.equal(await cache.get("key"), "new");
  });

  it("who asks while a loaded value is stored waits for it, and loads nothing", async () => {
    const { cache, slow } = await openSlow();
    const loader = new HeldLoader();
    const early = cache.getOrSet("key", loader.load);
    await settle();
    slow.isFlowing = false;
    loader.calls[0]!.answer("value");
    await settle();
    assert.deepEqual(slow.steps.map(({ operation }) => operation), ["set"]);
    const late = cache.getOrSetMany(["key"], () => assert.fail("loaded twice"));
    await settle();
    for (const step of slow.steps.slice(1)) step.finish();
    await settle();
    slow.flow();
    assert.equal(await early, "value");
    assert.deepEqual(await late, ["value"]);
  });

  it("gives the loaded value also where no tier takes it", async () => {
    const clock = new FakeClock();
    const memory = new SyncBackend(clock);
    memory.faults.set("set", new Error("full"));
    await using cache = await CacheManager.open({ backends: [memory], clock });
    const loader = new CountingLoader();
    assert.equal(await cache.getOrSet("key", loader.load), 1);
    assert.equal(await cache.getOrSet("key", loader.load), 2);
  });

  it("keeps the keys of namespaces apart, and tells the loader the key that its caller gave", async () => {
    const { cache } = await openMemory();
    const loader = new CountingLoader();
    assert.equal(await cache.getOrSet("key", loader.load), 1);
    assert.equal(await cache.namespace("n").getOrSet("key", loader.load), 2);
    assert.deepEqual(loader.calls, ["key", "key"]);
  });
});

describe("CacheManager.getOrSetMany()", () => {
  it("loads only what is missing, in one call, and gives the order of its input", async () => {
    const { cache } = await openMemory();
    await cache.set("b", "cached");
    const calls: string[][] = [];
    const values = await cache.getOrSetMany(["a", "b", "c", "a"], (missing) => {
      calls.push(missing);
      return missing.map((key) => key.toUpperCase());
    });
    assert.deepEqual(values, ["A", "cached", "C", "A"]);
    assert.deepEqual(calls, [["a", "c"]]);
    assert.deepEqual(await cache.getMany(["a", "b", "c"]), ["A", "cached", "C"]);
    assert.deepEqual(
      await cache.getOrSetMany(["a", "b", "c"], () => assert.fail("nothing is missing")),
      ["A", "cached", "C"],
    );
    assert.deepEqual(await cache.getOrSetMany([], () => assert.fail("nothing was asked")), []);
  });

  it("waits for what others load already, single or in batches, and loads the rest", async () => {
    const { cache } = await openMemory();
    const [single, first, second] = [new HeldLoader(), new HeldManyLoader(), new HeldManyLoader()];
    const one = cache.getOrSet("a", single.load);
    const two = cache.getOrSetMany(["a", "b", "c"], first.load);
    await settle();
    const three = cache.getOrSetMany(["c", "d", "a"], second.load);
    await settle();
    assert.deepEqual(first.calls.map(({ missing }) => missing), [["b", "c"]]);
    assert.deepEqual(second.calls.map(({ missing }) => missing), [["d"]]);
    second.calls[0]!.answer();
    first.calls[0]!.answer();
    single.calls[0]!.answer("single");
    assert.equal(await one, "single");
    assert.deepEqual(await two, ["single", "B", "C"]);
    assert.deepEqual(await three, ["C", "D", "single"]);
  });

  it("two batches that wait for each other's keys do not block each other", async () => {
    const { cache } = await openMemory();
    const held = new HeldManyLoader();
    const a = cache.getOrSetMany(["a", "b"], held.load);
    const b = cache.getOrSetMany(["b", "c"], held.load);
    const c = cache.getOrSetMany(["c", "a"], held.load);
    await settle();
    for (const call of held.calls) call.answer();
    assert.deepEqual(await Promise.all([a, b, c]), [["A", "B"], ["B", "C"], ["C", "A"]]);
    assert.deepEqual(held.calls.flatMap(({ missing }) => missing).sort(), ["a", "b", "c"]);
  });

  it("a batch that fails hands all of its keys over to the next in one call", async () => {
    const { cache } = await openMemory();
    const [first, second] = [new HeldManyLoader(), new HeldManyLoader()];
    const failing = cache.getOrSetMany(["a", "b", "c"], first.load);
    await settle();
    const following = cache.getOrSetMany(["c", "a", "x", "b"], second.load);
    await settle();
    assert.deepEqual(second.calls.map(({ missing }) => missing), [["x"]]);
    first.calls[0]!.fail(new Error("broken"));
    await assert.rejects(failing, { message: "broken" });
    await settle();
    assert.deepEqual(second.calls.map(({ missing }) => missing.toSorted()), [["x"], [
      "a",
      "b",
      "c",
    ]]);
    for (const call of second.calls) call.answer();
    assert.deepEqual(await following, ["C", "A", "X", "B"]);
  });

  it("an answer of a wrong kind or count is an error, and nothing of it is stored", async () => {
    const { cache, memory } = await openMemory();
    for (
      const [answer, what] of [
        [["only one"], "one of 1"],
        [["one", "two", "three"], "one of 3"],
        [[], "one of 0"],
        ["ab", "string"],
        [undefined, "undefined"],
        [{ a: 1, b: 2 }, "object"],
      ] as const
    ) {
      await assert.rejects(cache.getOrSetMany(["a", "b"], () => answer as never), (error) => {
        assert.ok(isCacheError(error, "invalid-result"));
        assert.equal(
          error.message,
          `Cannot store loaded values: loader must return an array of 2: it returned ${what}`,
        );
        return true;
      });
    }
    assert.equal(memory.entries.size, 0);
    const { loads, loadErrors } = await cache.getStats();
    assert.deepEqual([loads, loadErrors], [0, 12]);
  });

  it("keys for which the loader has nothing are not cached", async () => {
    const { cache, memory } = await openMemory();
    assert.deepEqual(await cache.getOrSetMany(["a", "b", "c"], () => [1, undefined, null]), [
      1,
      undefined,
      null,
    ]);
    assert.deepEqual([...memory.entries.keys()], ["a", "c"]);
  });

  it("stores all but the keys that changed meanwhile", async () => {
    const { cache } = await openMemory();
    const held = new HeldManyLoader();
    const asked = cache.getOrSetMany(["a", "b", "c"], held.load);
    await settle();
    await cache.delete("a");
    await cache.set("b", "set");
    held.calls[0]!.answer();
    assert.deepEqual(await asked, ["A", "B", "C"]);
    assert.deepEqual(await cache.getMany(["a", "b", "c"]), [undefined, "set", "C"]);
  });

  it("an abort ends its caller's wait; the loader is told when nobody waits for any key", async () => {
    const { cache } = await openMemory();
    const held = new HeldManyLoader();
    const controllers = [new AbortController(), new AbortController()];
    const first = cache.getOrSetMany(["a", "b"], held.load, controllers[0]);
    await settle();
    const second = cache.getOrSet("b", () => "not asked", controllers[1]);
    await settle();
    controllers[0]!.abort(new Error("first"));
    await assert.rejects(first, { message: "first" });
    assert.equal(held.calls[0]!.signal.aborted, false);
    controllers[1]!.abort(new Error("second"));
    await assert.rejects(second, { message: "second" });
    assert.equal(held.calls[0]!.signal.aborted, true);
  });

  it("an abort before the loader's turn spares the loader", async () => {
    const { cache } = await openMemory();
    const controller = new AbortController();
    const asked = cache.getOrSetMany(["a"], () => assert.fail("called"), controller);
    controller.abort(new Error("enough"));
    await assert.rejects(asked, { message: "enough" });
    await settle();
    assert.equal(await cache.getOrSet("a", () => "next"), "next");
  });

  it("a batch of many keys is stored in a tier without batches too, except what was deleted meanwhile", async () => {
    const { cache, slow } = await openSlow();
    const keys = Array.from({ length: 200 }, (_, at) => `key ${at}`);
    const held = new HeldManyLoader();
    const asked = cache.getOrSetMany(keys, held.load);
    await settle(500);
    slow.isFlowing = false;
    held.calls[0]!.answer();
    await settle(500);
    assert.equal(slow.steps.length, 64);
    const deleted = cache.delete("key 150");
    slow.flow();
    await Promise.all([asked, deleted]);
    assert.equal(await cache.get("key 150"), undefined);
    assert.equal(await cache.get("key 199"), "KEY 199");
  });
});
