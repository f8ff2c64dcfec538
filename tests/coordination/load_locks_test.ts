import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EmbeddingCache } from "../../src/embedding_cache.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { FakeBus, FakeChannel } from "../fakes/fake_bus.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { FakeLocks, FakeLockService } from "../fakes/fake_locks.ts";
import { HeldLoader, HeldManyLoader } from "../fakes/held_loader.ts";
import { settle } from "../fakes/settle.ts";
import { SharedStore, SteppedBackend } from "../fakes/stepped_backend.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";
import { watchEvents } from "../fakes/watch_events.ts";

const LEASE_MS = 3000;

/** Some caches over one store and one lock service. */
async function openCluster(size: number, hasBus = true) {
  const clock = new FakeClock();
  const store = new SharedStore();
  const channel = new FakeChannel();
  const service = new FakeLockService();
  const caches: CacheManager[] = [];
  for (let at = 0; at < size; at++) {
    const shared = new SteppedBackend("shared", { store, clock });
    shared.isFlowing = true;
    caches.push(
      await CacheManager.open({
        backends: [new SyncBackend(clock, "memory"), shared],
        clock,
        random: () => 0.5,
        coordination: {
          bus: hasBus ? new FakeBus(channel) : false,
          locks: new FakeLocks(service, clock),
          lockLease: LEASE_MS / 1000,
        },
      }),
    );
  }
  return { clock, service, caches };
}

describe("CacheManager.getOrSet() with locks", () => {
  for (const hasBus of [true, false]) {
    it(`runs one loader in the cluster, ${hasBus ? "told by the bus" : "without a bus"}`, async () => {
      const { clock, caches, service } = await openCluster(3, hasBus);
      const loader = new HeldLoader();
      const asked = caches.map((cache) => cache.getOrSet("key", loader.load));
      await settle();
      await clock.advanceAsync(10 * LEASE_MS);
      assert.equal(loader.calls.length, 1, "renewed for as long as it takes");
      loader.calls[0]!.answer("value");
      await settle();
      if (!hasBus) await clock.advanceAsync(250);
      assert.deepEqual(await Promise.all(asked), ["value", "value", "value"]);
      assert.equal(loader.calls.length, 1);
      await settle();
      assert.equal(service.owners.size, 0, "it is free again");
    });
  }

  it("an owner whose loader fails hands over, one at a time", async () => {
    const { clock, caches } = await openCluster(3);
    const loader = new HeldLoader();
    const asked = caches.map((cache) => cache.getOrSet("key", loader.load));
    await settle();
    loader.calls[0]!.fail(new Error("broken"));
    await assert.rejects(asked[0]!, { message: "broken" });
    await clock.advanceAsync(500);
    assert.equal(loader.calls.length, 2);
    loader.calls[1]!.answer("value");
    await settle();
    await clock.advanceAsync(500);
    assert.deepEqual(await Promise.all(asked.slice(1)), ["value", "value"]);
    assert.equal(loader.mostAtOnce, 1);
  });

  it("an owner that is frozen is replaced after its lease, and what it makes late does not win", async () => {
    const { clock, caches, service } = await openCluster(2);
    const [frozen, other] = caches as [CacheManager, CacheManager];
    const lost = watchEvents(frozen, "lockLost");
    const loader = new HeldLoader();
    const first = frozen.getOrSet("key", loader.load);
    await settle();
    // As if its renewals had not come through.
    service.owners.get("key")!.until = clock.now() + LEASE_MS / 2;
    const second = other.getOrSet("key", loader.load);
    await settle();
    service.owners.get("key")!.until = clock.now();
    await clock.advanceAsync(LEASE_MS / 2);
    assert.equal(loader.calls.length, 2);
    loader.calls[1]!.answer("new");
    assert.equal(await second, "new");
    await clock.advanceAsync(LEASE_MS);
    loader.calls[0]!.answer("old");
    assert.equal(await first, "old");
    await settle();
    assert.equal(await other.get("key"), "new");
    assert.equal(await frozen.get("key"), "new");
    assert.deepEqual(lost, [{ locks: "fake-locks", key: "key", fence: 1 }]);
  });

  for (const health of ["failing", "hanging"] as const) {
    it(`each loads for itself while the lock service is ${health}, and asks it seldom`, async () => {
      const { clock, caches, service } = await openCluster(2);
      const [cache] = caches as [CacheManager, CacheManager];
      const errors = watchEvents(cache, "lockError");
      service.health = health;
      const first = cache.getOrSet("key", () => 1);
      await clock.advanceAsync(1000);
      assert.equal(await first, 1);
      assert.equal(errors.length, 1);
      const { requests } = service;
      for (let at = 0; at < 1000; at++) await cache.getOrSet(`key ${at}`, () => at);
      assert.equal(service.requests, requests, "a thousand calls cost no deadline");
      service.health = "up";
      await clock.advanceAsync(2000);
      await cache.getOrSet("later", () => 1);
      assert.ok(service.requests > requests);
    });
  }

  it("the abort of a caller ends its wait for another process", async () => {
    const { caches } = await openCluster(2);
    const loader = new HeldLoader();
    const owner = caches[0]!.getOrSet("key", loader.load);
    await settle();
    const controller = new AbortController();
    const waiting = caches[1]!.getOrSet("key", loader.load, controller);
    await settle();
    controller.abort(new Error("enough"));
    await assert.rejects(waiting, { message: "enough" });
    loader.calls[0]!.answer(1);
    assert.equal(await owner, 1);
    assert.equal(loader.calls.length, 1);
  });

  it("a value that is loaded again ahead of time is loaded by one", async () => {
    const { clock, caches } = await openCluster(3);
    const options = { ttl: "10s", refreshAhead: 0.5 };
    const loader = new HeldLoader();
    await caches[0]!.getOrSet("key", () => "old", options);
    await clock.advanceAsync(6000);
    const asked = caches.map((cache) => cache.getOrSet("key", loader.load, options));
    assert.deepEqual(await Promise.all(asked), ["old", "old", "old"]);
    await settle();
    assert.equal(loader.calls.length, 1);
    loader.calls[0]!.answer("new");
    await settle();
    assert.equal(await caches[2]!.get("key"), "new");
  });

  it("who asks while a value is loaded again ahead, by another process, gets one", async () => {
    const { clock, caches, service } = await openCluster(2);
    const [owner, other] = caches as [CacheManager, CacheManager];
    const options = { ttl: "10s", refreshAhead: 0.5 };
    await owner.getOrSet("key", () => "old", options);
    await other.getOrSet("key", () => "old", options);
    await clock.advanceAsync(9900);
    const loader = new HeldLoader();
    await owner.getOrSet("key", loader.load, options);
    await settle();
    const answer = Promise.withResolvers<void>();
    service.held = answer.promise;
    assert.equal(await other.getOrSet("key", loader.load, options), "old");
    await settle();
    await clock.advanceAsync(100);
    const asked = other.getOrSet("key", loader.load, options);
    await settle();
    answer.resolve();
    await settle();
    loader.calls[0]!.answer("new");
    await settle();
    await clock.advanceAsync(500);
    assert.equal(await asked, "new");
    assert.equal(loader.calls.length, 1);
  });

  it("a null that another process has loaded is not loaded again", async () => {
    const { caches, service } = await openCluster(2);
    const loader = new HeldLoader();
    const first = caches[0]!.getOrSet("key", loader.load);
    await settle();
    const answer = Promise.withResolvers<void>();
    service.held = answer.promise;
    const second = caches[1]!.getOrSet("key", loader.load);
    await settle();
    loader.calls[0]!.answer(null);
    assert.equal(await first, null);
    // The lock is free by the time that the second has it.
    service.owners.clear();
    answer.resolve();
    assert.equal(await second, null);
    assert.equal(loader.calls.length, 1);
  });

  it("a loader that goes on when nobody waits for it any more does not keep the lock", async () => {
    const { clock, caches } = await openCluster(2);
    const loader = new HeldLoader();
    const given = assert.rejects(caches[0]!.getOrSet("key", loader.load, { hardTimeout: "1s" }));
    await clock.advanceAsync(1000);
    await given;
    const asked = caches[1]!.getOrSet("key", loader.load);
    await clock.advanceAsync(2 * LEASE_MS);
    assert.equal(loader.calls.length, 2);
    loader.calls[1]!.answer("value");
    await settle();
    assert.equal(await asked, "value");
  });
});

describe("CacheManager.getOrSetMany() with locks", () => {
  it("loads each key in one process, each process what it has locked", async () => {
    const { clock, caches, service } = await openCluster(3);
    const loader = new HeldManyLoader();
    const asked = [["a", "b"], ["b", "c", "a"], ["d", "c"]].map((keys, at) =>
      caches[at]!.getOrSetMany(keys, loader.load)
    );
    await settle();
    await clock.advanceAsync(10 * LEASE_MS);
    assert.deepEqual(loader.calls.map(({ keys }) => keys), [["a", "b"], ["c"], ["d"]]);
    for (const call of loader.calls) call.answer(call.keys.map((key) => key.toUpperCase()));
    await settle();
    await clock.advanceAsync(500);
    assert.deepEqual(await Promise.all(asked), [["A", "B"], ["B", "C", "A"], ["D", "C"]]);
    assert.equal(loader.calls.length, 3);
    await settle();
    assert.equal(service.owners.size, 0, "all are free again");
    for (const cache of caches) {
      const { misses } = await cache.getStats();
      assert.ok(misses <= 3, `${misses} misses: who waits does not miss again`);
    }
  });

  it("one of two that want the same keys in another order waits for nothing that waits for it", async () => {
    const { clock, caches } = await openCluster(2);
    const load = (keys: string[]): string[] => keys;
    const asked = [["a", "b", "c"], ["c", "b", "a"]].map((keys, at) =>
      caches[at]!.getOrSetMany(keys, load)
    );
    await settle();
    await clock.advanceAsync(500);
    assert.deepEqual(await Promise.all(asked), [["a", "b", "c"], ["c", "b", "a"]]);
  });

  it("an owner whose loader fails hands over", async () => {
    const { clock, caches, service } = await openCluster(2);
    const loader = new HeldManyLoader();
    const [failing, other] = caches.map((cache, at) =>
      cache.getOrSetMany(["a", "b", `own ${at}`], loader.load)
    );
    await settle();
    const [first, second] = loader.calls;
    assert.deepEqual(second!.keys, ["own 1"]);
    second!.answer(["own"]);
    first!.fail(new Error("broken"));
    await assert.rejects(failing!, { message: "broken" });
    await settle();
    await clock.advanceAsync(500);
    assert.deepEqual(loader.calls.map(({ keys }) => keys).slice(2), [["a", "b"]]);
    loader.calls[2]!.answer(["A", "B"]);
    assert.deepEqual(await other, ["A", "B", "own"]);
    await settle();
    assert.equal(service.owners.size, 0);
  });

  it("and getOrSet() of one of the keys is the same load", async () => {
    const { clock, caches } = await openCluster(2);
    const many = new HeldManyLoader();
    const one = new HeldLoader();
    const first = caches[0]!.getOrSetMany(["a", "b"], many.load);
    await settle();
    const second = caches[1]!.getOrSet("b", one.load);
    await settle();
    many.calls[0]!.answer(["A", "B"]);
    await settle();
    await clock.advanceAsync(500);
    assert.deepEqual(await first, ["A", "B"]);
    assert.equal(await second, "B");
    assert.equal(one.calls.length, 0);
  });

  for (const health of ["failing", "hanging"] as const) {
    it(`loads all in one call while the lock service is ${health}`, async () => {
      const { clock, caches, service } = await openCluster(2);
      service.health = health;
      const loader = new HeldManyLoader();
      const asked = caches[0]!.getOrSetMany(["a", "b", "c"], loader.load);
      await settle();
      await clock.advanceAsync(1000);
      assert.deepEqual(loader.calls.map(({ keys }) => keys), [["a", "b", "c"]]);
      loader.calls[0]!.answer([1, 2, 3]);
      assert.deepEqual(await asked, [1, 2, 3]);
    });
  }

  it("the abort of a caller frees what it has locked and what it is about to", async () => {
    const { clock, caches, service } = await openCluster(2);
    const loader = new HeldManyLoader();
    const controller = new AbortController();
    const answer = Promise.withResolvers<void>();
    service.held = answer.promise;
    const early = caches[0]!.getOrSetMany(["a", "b"], loader.load, controller);
    await settle();
    controller.abort(new Error("enough"));
    await assert.rejects(early, { message: "enough" });
    answer.resolve();
    service.held = undefined;
    await settle();
    const late = new AbortController();
    const waiting = caches[0]!.getOrSetMany(["c", "d"], loader.load, late);
    await settle();
    late.abort(new Error("enough"));
    await assert.rejects(waiting, { message: "enough" });
    loader.calls[0]!.fail(new Error("aborted"));
    await settle();
    const asked = caches[1]!.getOrSetMany(["a", "b", "c", "d"], (keys) => keys);
    await settle();
    await clock.advanceAsync(2 * LEASE_MS);
    assert.deepEqual(await asked, ["a", "b", "c", "d"]);
    assert.equal(service.owners.size, 0);
  });

  it("a text that several processes embed at the same time is paid for once", async () => {
    const { clock, caches } = await openCluster(3);
    const embedded: string[] = [];
    const texts = Array.from({ length: 50 }, (_, at) => `text ${at}`);
    const asked = caches.map((cache) =>
      new EmbeddingCache(cache).getOrEmbed(texts, "model", (missing) => {
        embedded.push(...missing);
        return missing.map((text) => [text.length, 1]);
      })
    );
    await settle();
    await clock.advanceAsync(500);
    const vectors = await Promise.all(asked);
    assert.deepEqual(vectors[2], vectors[0]);
    assert.deepEqual(embedded.sort(), [...texts].sort());
  });
});
