import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { openBoth, openFlowing, openOver } from "../fakes/open_caches.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";
import { watchEvents } from "../fakes/watch_events.ts";

describe("CacheManager tiers", () => {
  it("set() writes to all tiers, delete() removes from all", async () => {
    const { cache, memory, slow } = await openBoth();
    assert.equal(await cache.set("key", 1), true);
    assert.ok(memory.entries.has("key") && slow.frames.has("key"));
    memory.entries.clear();
    assert.equal(await cache.exists("key"), true);
    assert.equal(await cache.delete("key"), true);
    assert.equal(slow.frames.size, 0);
    assert.equal(await cache.delete("key"), false);
    assert.equal(await cache.exists("key"), false);
  });

  it("a hit is promoted into all faster tiers, with the TTL it has left", async () => {
    const clock = new FakeClock();
    const memory = new SyncBackend(clock);
    const [near, far] = [openFlowing("near"), openFlowing("far")];
    await using cache = await CacheManager.open({ backends: [memory, near, far], clock });
    const promotions = watchEvents(cache, "promotion");
    await cache.set("key", "value", { ttl: 10 });
    memory.entries.clear();
    near.frames.clear();
    await clock.advanceAsync(4000);
    assert.equal(await cache.get("key"), "value");
    await cache.flush();
    assert.deepEqual(promotions, [
      { key: "key", from: "far", to: "sync" },
      { key: "key", from: "far", to: "near" },
    ]);
    const due = clock.now() + 6000;
    assert.equal(memory.entries.get("key")!.expiresAt, due);
    assert.equal(near.read("key")!.expiresAt, due);
    await clock.advanceAsync(5999);
    assert.equal(cache.peek("key"), "value");
    await clock.advanceAsync(1);
    assert.equal(cache.peek("key"), undefined);
  });

  it("a promotion respects maxTtl and maxEntryBytes of the faster tier", async () => {
    const clock = new FakeClock();
    const memory = new SyncBackend(clock);
    const slow = openFlowing();
    await using cache = await CacheManager.open({
      clock,
      backends: [{ backend: memory, maxTtl: 5, maxEntryBytes: 1000 }, slow],
    });
    await cache.set("small", "s", { ttl: 60 });
    await cache.set("for ever", "e");
    await cache.set("large", "l".repeat(2000));
    assert.equal(memory.entries.get("small")!.expiresAt, clock.now() + 5000);
    assert.equal(memory.entries.get("for ever")!.expiresAt, clock.now() + 5000);
    assert.equal(memory.entries.has("large"), false);
    await clock.advanceAsync(7000);
    assert.equal(cache.peek("small"), undefined);
    assert.equal(await cache.get("small"), "s");
    assert.equal(await cache.get("large"), "l".repeat(2000));
    await cache.flush();
    assert.equal(memory.entries.get("small")!.expiresAt, clock.now() + 5000);
    assert.equal(slow.read("small")!.expiresAt, clock.now() + 53_000);
    assert.equal(memory.entries.has("large"), false);
    await clock.advanceAsync(50_000);
    assert.equal(await cache.get("small"), "s");
    await cache.flush();
    assert.equal(memory.entries.get("small")!.expiresAt, clock.now() + 3000, "what is left of it");
  });

  it("a tier that declines does not keep the older value", async () => {
    const clock = new FakeClock();
    const memory = new SyncBackend(clock);
    const slow = openFlowing("slow");
    await using cache = await CacheManager.open({
      clock,
      backends: [{ backend: memory, maxEntryBytes: 500 }, slow],
    });
    const writes = watchEvents(cache, "write");
    await cache.set("key", "small");
    assert.equal(await cache.set("key", "l".repeat(1000)), true);
    assert.equal(memory.entries.has("key"), false);
    assert.equal(await cache.get("key"), "l".repeat(1000));
    await cache.setMany([{ key: "key", value: "small again" }, {
      key: "b",
      value: "x".repeat(999),
    }]);
    assert.ok(memory.entries.has("key") && !memory.entries.has("b"));
    assert.deepEqual(
      writes.map(({ key, outcomes }) => [key, ...outcomes.map(({ outcome }) => outcome)]),
      [
        ["key", "stored", "stored"],
        ["key", "declined", "stored"],
        ["key", "stored", "stored"],
        ["b", "declined", "stored"],
      ],
    );
  });

  it("set() is false when no tier holds the value, and its older one is gone", async () => {
    const slow = openFlowing();
    await using cache = await CacheManager.open({
      backends: [{ backend: slow, maxEntryBytes: 500 }],
    });
    assert.equal(await cache.set("key", "small"), true);
    assert.equal(await cache.set("key", "l".repeat(1000)), false);
    assert.equal(await cache.get("key"), undefined);
    assert.equal(slow.frames.size, 0);
  });

  it("peek() reads only memory and only what is alive there", async () => {
    const { cache, memory, slow } = await openBoth();
    await cache.set("key", 1);
    memory.entries.clear();
    assert.equal(cache.peek("key"), undefined);
    await using bytesOnly = await openOver(slow);
    assert.equal(bytesOnly.peek("key"), undefined);
    assert.equal(await bytesOnly.get("key"), 1);
  });
});
