import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { MapBackend } from "../fakes/map_backend.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";

describe("CacheManager.getStats()", () => {
  it("counts what was done, by key and by tier", async () => {
    const clock = new FakeClock();
    const memory = new SyncBackend(clock, "memory");
    const disk = new MapBackend(clock, "disk");
    await using cache = await CacheManager.open({
      backends: [{ backend: memory, maxEntryBytes: 500 }, disk],
      clock,
    });
    const streams = {
      streamReads: 0,
      streamWrites: 0,
      streamErrors: 0,
      streamBytesRead: 0,
      streamBytesWritten: 0,
    };
    const none = { hits: 0, misses: 0, writes: 0, promotions: 0, declined: 0, errors: 0 };
    assert.deepEqual(await cache.getStats(), {
      hits: 0,
      misses: 0,
      loads: 0,
      loadErrors: 0,
      hitRatio: 0,
      ...streams,
      coordination: {
        queued: 0,
        queuedBytes: 0,
        replayed: 0,
        dropped: 0,
        isConnected: false,
        heard: 0,
        told: 0,
        untold: 0,
      },
      tiers: [
        { name: "memory", ...none, timeouts: 0, skipped: 0, isDown: false, entries: 0 },
        { name: "disk", ...none, timeouts: 0, skipped: 0, isDown: false, entries: 0 },
      ],
    });

    await cache.set("a", 1);
    await cache.set("large", "x".repeat(1000));
    await cache.setMany([{ key: "b", value: 2 }, { key: "c", value: 3 }]);
    await cache.get("a");
    await cache.get("a", {});
    await cache.get("large");
    await cache.get("none");
    memory.entries.delete("b");
    await cache.getMany(["a", "b", "c", "none"]);
    await cache.flush();
    await cache.getOrSet("loaded", () => 4);
    await cache.getOrSet("loaded", () => 4);
    await assert.rejects(cache.getOrSet("failing", () => Promise.reject(new Error("broken"))));
    await cache.getOrSetMany(["a", "many 1", "many 2"], (missing) => missing);
    cache.peek("a");
    await cache.exists("a");
    memory.faults.set("set", new Error("full"));
    await cache.set("failed", 1);
    memory.faults.clear();

    const stats = await cache.getStats();
    assert.deepEqual([stats.coordination?.queued, stats.coordination?.dropped], [1, 0]);
    assert.deepEqual(stats, {
      coordination: stats.coordination,
      hits: 3 + 3 + 1 + 1,
      misses: 1 + 1 + 1 + 1 + 2,
      loads: 1 + 2,
      loadErrors: 1,
      hitRatio: 8 / 14,
      ...streams,
      tiers: [
        {
          name: "memory",
          hits: 2 + 2 + 1 + 1,
          misses: 2 + 2 + 2 + 2,
          writes: 3 + 3,
          promotions: 1,
          declined: 2,
          errors: 1,
          timeouts: 0,
          skipped: 0,
          isDown: false,
          entries: 6,
        },
        {
          name: "disk",
          hits: 1 + 1,
          misses: 1 + 1 + 2 + 2,
          writes: 4 + 3 + 1,
          promotions: 0,
          declined: 0,
          errors: 0,
          timeouts: 0,
          skipped: 0,
          isDown: false,
          entries: 8,
        },
      ],
    });
  });

  it("does not ask the backends what they hold when enableStats is false", async () => {
    const clock = new FakeClock();
    const memory = new SyncBackend(clock, "memory");
    memory.faults.set("getStats", new Error("asked"));
    await using cache = await CacheManager.open({ backends: [memory], clock, enableStats: false });
    await cache.set("a", 1);
    await cache.get("a");
    const { hits, tiers } = await cache.getStats();
    assert.equal(hits, 1);
    assert.deepEqual(tiers, [{
      name: "memory",
      hits: 1,
      misses: 0,
      writes: 1,
      promotions: 0,
      declined: 0,
      errors: 0,
      timeouts: 0,
      skipped: 0,
      isDown: false,
    }]);
  });
});
