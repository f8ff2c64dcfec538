import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { HeldLoader } from "../fakes/held_loader.ts";
import { settle } from "../fakes/settle.ts";
import { SharedStore, SteppedBackend } from "../fakes/stepped_backend.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";
import { watchEvents } from "../fakes/watch_events.ts";

interface Node {
  readonly cache: CacheManager;
  readonly memory: SyncBackend;
  readonly shared: SteppedBackend;
  readonly clock: FakeClock;
}

/** A cache over memory and a store that it shares with others. */
async function openNode(store: SharedStore, { skewMs = 0, below = [] as SteppedBackend[] } = {}) {
  const clock = new FakeClock(1_700_000_000_000 + skewMs);
  const memory = new SyncBackend(clock, "memory");
  const shared = new SteppedBackend("shared", { store, clock });
  shared.isFlowing = true;
  const cache = await CacheManager.open({ backends: [memory, shared, ...below], clock });
  return { cache, memory, shared, clock } satisfies Node;
}

describe("CacheManager over a store that keeps the newest", () => {
  it("set() that another process has overtaken leaves no older copy, and is done", async () => {
    const store = new SharedStore();
    const [behind, ahead] = [await openNode(store), await openNode(store, { skewMs: 500 })];
    const writes = watchEvents(behind.cache, "write");
    assert.equal(await ahead.cache.set("key", "newer"), true);
    assert.equal(await behind.cache.set("key", "older"), true);
    assert.equal(behind.memory.entries.has("key"), false);
    assert.equal(await behind.cache.get("key"), "newer");
    assert.deepEqual(writes[0]!.outcomes.map(({ outcome }) => outcome), ["stored", "outdated"]);
    await ahead.clock.advanceAsync(1);
    await ahead.cache.set("a", "newer");
    assert.equal(
      await behind.cache.setMany([{ key: "a", value: 1 }, { key: "b", value: 2 }]),
      true,
    );
    assert.deepEqual(await behind.cache.getMany(["a", "b"]), ["newer", 2]);
  });

  it("set() after a read is newer than what was read, whatever the clocks say", async () => {
    const store = new SharedStore();
    const [behind, ahead] = [await openNode(store), await openNode(store, { skewMs: 500 })];
    await ahead.cache.setMany([{ key: "one", value: 1 }, { key: "many", value: 1 }]);
    await behind.cache.get("one");
    await behind.cache.set("one", 2);
    assert.equal(await ahead.shared.read("one")?.value(), 2);
    await ahead.cache.set("many", 3);
    await behind.cache.getMany(["many"]);
    await behind.cache.set("many", 4);
    assert.equal(await ahead.shared.read("many")?.value(), 4);
  });

  for (const skewMs of [-500, 0, 500]) {
    it(`delete() beats a load that began earlier in a process whose clock is ${skewMs} ms ahead`, async () => {
      const store = new SharedStore();
      const [node, loading] = [await openNode(store), await openNode(store, { skewMs })];
      const loader = new HeldLoader();
      const loaded = loading.cache.getOrSet("key", loader.load);
      await settle();
      await node.cache.delete("key");
      loader.calls[0]!.answer("outdated");
      assert.equal(await loaded, "outdated", "the caller gets what its loader made");
      assert.equal(loading.memory.entries.has("key"), false);
      assert.equal(store.frames.has("key"), false);
      assert.equal(await loading.cache.get("key"), undefined);
    });
  }

  it("delete() is followed by writes of the same process at once", async () => {
    const store = new SharedStore();
    const { cache } = await openNode(store);
    await cache.delete("key");
    assert.equal(await cache.getOrSet("key", () => 1), 1);
    assert.equal(cache.peek("key"), 1);
    await cache.deleteMany(["key", "other"]);
    await cache.set("key", 2);
    assert.equal(await cache.get("key"), 2);
    assert.equal(store.frames.size, 1);
  });

  it("a promotion does not undo a delete or a newer write", async () => {
    const store = new SharedStore();
    const slow = new SteppedBackend("slow");
    slow.isFlowing = true;
    const reader = await openNode(store, { below: [slow] });
    const writer = await openNode(store);
    await reader.cache.setMany([{ key: "deleted", value: 1 }, { key: "written", value: 1 }]);
    reader.memory.entries.clear();
    await writer.cache.delete("deleted");
    store.frames.delete("written");
    slow.isFlowing = false;
    const reads = [reader.cache.get("deleted"), reader.cache.get("written")];
    await settle();
    await writer.cache.set("written", 2);
    slow.flow();
    assert.deepEqual(await Promise.all(reads), [1, 1], "slower tiers know nothing of it");
    await reader.cache.flush();
    assert.equal(store.frames.has("deleted"), false);
    assert.equal(await writer.shared.read("written")?.value(), 2);
    assert.equal(reader.memory.entries.size, 0);
    assert.equal(await reader.cache.get("written"), 2);
  });

  it("deleteByTag() of an older mark does not undo a newer one", async () => {
    const store = new SharedStore();
    const [behind, ahead] = [await openNode(store), await openNode(store, { skewMs: 400 })];
    await ahead.cache.set("key", 1, { tags: ["t"] });
    await ahead.cache.deleteByTag("t");
    const mark = [...store.frames.keys()].find((key) => key.includes("tag"))!;
    const { version } = ahead.shared.read(mark)!;
    await behind.cache.deleteByTag("t");
    assert.equal(behind.shared.read(mark)!.version, version);
    assert.equal(await ahead.cache.get("key"), undefined);
  });
});
