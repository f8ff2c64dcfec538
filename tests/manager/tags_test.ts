import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { HeldLoader } from "../fakes/held_loader.ts";
import { settle } from "../fakes/settle.ts";
import { SteppedBackend } from "../fakes/stepped_backend.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";

const clock = new FakeClock();

function openSlow(name = "slow"): SteppedBackend {
  const slow = new SteppedBackend(name, { clock });
  slow.isFlowing = true;
  return slow;
}

/** A cache as another process, or this one after a restart, has it over the same slow tier. */
async function openOver(
  ...slow: SteppedBackend[]
): Promise<{ cache: CacheManager; memory: SyncBackend }> {
  const memory = new SyncBackend(clock);
  return { cache: await CacheManager.open({ backends: [memory, ...slow], clock }), memory };
}

describe("Cache.deleteByTag()", () => {
  it("drops what was set with the tag from every tier, and nothing else", async () => {
    const { cache, memory } = await openOver(openSlow("near"), openSlow("far"));
    await cache.set("a", 1, { tags: ["t"] });
    await cache.set("b", 2, { tags: ["t", "u"] });
    await cache.set("c", 3, { tags: ["u"] });
    await cache.set("d", 4);
    await cache.deleteByTag("t");
    for (const empty of [false, true]) {
      if (empty) memory.entries.clear();
      assert.deepEqual(await cache.getMany(["a", "b", "c", "d"]), [
        undefined,
        undefined,
        3,
        4,
      ]);
      assert.deepEqual(["a", "b"].map((key) => cache.peek(key)), [undefined, undefined]);
      assert.equal(await cache.get("a"), undefined);
    }
    await cache.set("a", 5, { tags: ["t"] });
    assert.equal(await cache.get("a"), 5);
    assert.equal(cache.peek("a"), 5);
  });

  it("works over memory alone, and over a slow tier alone", async () => {
    for (const backend of [new SyncBackend(clock), openSlow()]) {
      await using cache = await CacheManager.open({ backends: [backend], clock });
      await Promise.all(
        Array.from({ length: 5 }, (_, at) => cache.set(`key ${at}`, at, { tags: ["t"] })),
      );
      for (let at = 0; at < 5; at++) assert.equal(await cache.get(`key ${at}`), at);
      await cache.deleteByTag("t");
      for (let at = 0; at < 5; at++) assert.equal(await cache.get(`key ${at}`), undefined);
    }
  });

  it("keeps the tags of namespaces apart", async () => {
    const { cache } = await openOver(openSlow());
    const inner = cache.namespace("n");
    await cache.set("key", 1, { tags: ["t"] });
    await inner.set("key", 2, { tags: ["t"] });
    await inner.deleteByTag("t");
    assert.deepEqual([await cache.get("key"), await inner.get("key")], [1, undefined]);
    await cache.deleteByTag("t");
    assert.equal(await cache.get("key"), undefined);
  });

  it("holds after a restart, and so does what was set since", async () => {
    const slow = openSlow();
    const first = await openOver(slow);
    await first.cache.set("old", 1, { tags: ["t"] });
    await first.cache.set("kept", 2, { tags: ["u"] });
    await first.cache.deleteByTag("t");
    await first.cache.set("new", 3, { tags: ["t"] });
    const second = await openOver(slow);
    assert.deepEqual(await second.cache.getMany(["old", "kept", "new"]), [undefined, 2, 3]);
    assert.equal(await second.cache.get("new"), 3);
  });

  it("reaches another process within a second", async () => {
    const slow = openSlow();
    const [here, there] = [await openOver(slow), await openOver(slow)];
    await here.cache.set("key", 1, { tags: ["t"] });
    assert.equal(await there.cache.get("key"), 1);
    assert.equal(there.cache.peek("key"), 1);
    await here.cache.deleteByTag("t");
    assert.equal(await here.cache.get("key"), undefined);
    clock.advance(1000);
    assert.equal(await there.cache.get("key"), undefined);
    assert.equal(there.cache.peek("key"), undefined);
  });

  it("peek() does not show a dropped entry, however long ago it was dropped", async () => {
    const { cache } = await openOver(openSlow());
    await cache.set("key", 1, { tags: ["t"] });
    await cache.deleteByTag("t");
    clock.advance(3_600_000);
    assert.equal(cache.peek("key"), undefined);
    assert.equal(await cache.get("key"), undefined);
  });

  it("a mark that the tiers have lost costs misses, and brings nothing back", async () => {
    const slow = openSlow();
    const first = await openOver(slow);
    await first.cache.set("dropped", 1, { tags: ["t"] });
    await first.cache.deleteByTag("t");
    await first.cache.set("key", 2, { tags: ["t"] });
    const mark = [...slow.frames.keys()].find((key) => key.startsWith("@!tag:"))!;
    slow.frames.delete(mark);
    clock.advance(1);
    const second = await openOver(slow);
    assert.deepEqual(await second.cache.getMany(["dropped", "key"]), [undefined, undefined]);
    await second.cache.set("key", 3, { tags: ["t"] });
    assert.deepEqual(await second.cache.getMany(["dropped", "key"]), [undefined, 3]);
    const third = await openOver(slow);
    assert.deepEqual(await third.cache.getMany(["dropped", "key"]), [undefined, 3]);
  });

  it("entries set after clear() are there after a restart", async () => {
    const slow = openSlow();
    const first = await openOver(slow);
    await first.cache.set("key", 1, { tags: ["t"] });
    await first.cache.clear();
    assert.equal(slow.frames.size, 0);
    await first.cache.set("key", 2, { tags: ["t"] });
    const second = await openOver(slow);
    assert.equal(await second.cache.get("key"), 2);
  });

  it("values set at the same time with a new tag are all there, before and after a restart", async () => {
    const slow = openSlow();
    const first = await openOver(slow);
    await Promise.all(
      Array.from({ length: 10 }, (_, at) => first.cache.set(`${at}`, at, { tags: ["t", "u"] })),
    );
    const second = await openOver(slow);
    for (const { cache } of [first, second]) {
      for (let at = 0; at < 10; at++) assert.equal(await cache.get(`${at}`), at);
    }
  });

  it("drops what a loader that began before it makes", async () => {
    const slow = openSlow();
    const { cache } = await openOver(slow);
    const loader = new HeldLoader();
    const loaded = cache.getOrSet("key", loader.load, { tags: ["t"] });
    await settle();
    await cache.deleteByTag("t");
    loader.calls[0]!.answer("old");
    assert.equal(await loaded, "old");
    assert.equal(await cache.get("key"), undefined);
    assert.equal(await (await openOver(slow)).cache.get("key"), undefined);
  });

  it("the library's own records cannot be read or changed through keys", async () => {
    const slow = openSlow();
    const { cache } = await openOver(slow);
    await cache.set("key", 1, { tags: ["t"] });
    const mark = [...slow.frames.keys()].find((key) => key.startsWith("@!tag:"))!;
    const frame = slow.frames.get(mark);
    for (const scope of [cache, cache.namespace("!tag"), cache.namespace("!")]) {
      for (const key of [mark, mark.slice(1), mark.slice(2), "tag:t", "t", "!tag:t"]) {
        assert.equal(await scope.get(key), undefined);
        await scope.set(key, "mine");
        await scope.delete(key);
      }
    }
    assert.equal(slow.frames.get(mark), frame);
    assert.equal(await cache.get("key"), 1);
  });

  it("a slow tier that takes no mark: the drop holds here, and is told", async () => {
    const slow = new SteppedBackend("slow", { clock });
    const { cache } = await openOver(slow);
    const errors: string[] = [];
    cache.on("tierError", ({ operation }) => errors.push(operation));
    slow.isFlowing = true;
    await cache.set("key", 1, { tags: ["t"] });
    slow.isFlowing = false;
    const dropped = cache.deleteByTag("t");
    slow.step("set").fail();
    await dropped;
    slow.flow();
    assert.deepEqual(errors, ["write"]);
    assert.equal(await cache.get("key"), undefined);
    clock.advance(5000);
    assert.equal(await cache.get("key"), undefined);
    await cache.set("other", 2, { tags: ["t"] });
    const later = await openOver(slow);
    assert.deepEqual(await later.cache.getMany(["key", "other"]), [undefined, 2]);
  });

  it("an abort before the call rejects", async () => {
    const { cache } = await openOver();
    await cache.set("key", 1, { tags: ["t"] });
    const reason = new Error("enough");
    await assert.rejects(cache.deleteByTag("t", { signal: AbortSignal.abort(reason) }), reason);
    assert.equal(await cache.get("key"), 1);
  });
});
