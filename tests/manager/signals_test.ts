import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openBoth, openOver } from "../fakes/open_caches.ts";
import { settle } from "../fakes/settle.ts";
import { SteppedBackend } from "../fakes/stepped_backend.ts";

describe("CacheManager signals", () => {
  it("an abort before the call rejects with its reason, and does nothing", async () => {
    const { cache, memory, slow } = await openBoth();
    await cache.set("key", 1);
    const reason = new Error("enough");
    const options = { signal: AbortSignal.abort(reason) };
    const calls = [
      cache.get("key", options),
      cache.getMany(["key"], options),
      cache.exists("key", options),
      cache.set("key", 2, options),
      cache.setMany([{ key: "key", value: 2 }], options),
      cache.delete("key", options),
      cache.deleteMany(["key"], options),
      cache.clear(undefined, options),
      cache.getOrSet("key", () => 2, options),
      cache.getOrSet("other", () => 2, options),
      cache.getOrSetMany(["other"], () => [2], options),
      cache.deleteByTag("t", options),
    ];
    for (const call of calls) await assert.rejects(call, reason);
    assert.equal(await cache.get("key"), 1);
    assert.deepEqual([memory.entries.size, slow.frames.size], [1, 1]);
  });

  it("an abort during the call rejects with its reason", async () => {
    const slow = new SteppedBackend("slow", { isDeaf: true });
    await using cache = await openOver(slow);
    const reason = new Error("enough");
    for (
      const call of [
        (signal: AbortSignal) => cache.get("key", { signal }),
        (signal: AbortSignal) => cache.getMany(["key"], { signal }),
        (signal: AbortSignal) => cache.exists("key", { signal }),
        (signal: AbortSignal) => cache.set("key", 2, { signal }),
        (signal: AbortSignal) => cache.setMany([{ key: "key", value: 2 }], { signal }),
        (signal: AbortSignal) => cache.delete("key", { signal }),
        (signal: AbortSignal) => cache.deleteMany(["key"], { signal }),
        (signal: AbortSignal) => cache.clear(undefined, { signal }),
        (signal: AbortSignal) => cache.getOrSet("key", () => 2, { signal }),
        (signal: AbortSignal) => cache.getOrSetMany(["key"], () => [2], { signal }),
      ]
    ) {
      const controller = new AbortController();
      const running = call(controller.signal);
      await settle();
      controller.abort(reason);
      await assert.rejects(running, reason);
    }
    slow.flow();
  });
});
