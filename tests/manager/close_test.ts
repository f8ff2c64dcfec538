import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isCacheError } from "../../src/errors.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { settle } from "../fakes/settle.ts";
import { SteppedBackend } from "../fakes/stepped_backend.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";

/** A tier that says what it is told. */
class ToldBackend extends SteppedBackend {
  readonly told: string[] = [];
  failure: Error | undefined;

  flush(): Promise<void> {
    this.told.push("flush");
    return this.failure === undefined ? Promise.resolve() : Promise.reject(this.failure);
  }

  close(): Promise<void> {
    this.told.push("close");
    if (this.failure !== undefined) throw this.failure;
    return Promise.resolve();
  }
}

describe("CacheManager.close()", () => {
  it("closes every tier once, also when called twice and by await using", async () => {
    const tiers = [new ToldBackend("a"), new ToldBackend("b")];
    {
      await using cache = await CacheManager.open({ backends: tiers });
      const [first, second] = [cache.close(), cache.close()];
      await Promise.all([first, second]);
    }
    assert.deepEqual(tiers.map(({ told }) => told), [["close"], ["close"]]);
  });

  it("a tier that fails to close keeps none from closing, and the failure is told", async () => {
    const tiers = [new ToldBackend("a"), new ToldBackend("b"), new ToldBackend("c")];
    const failure = new Error("stuck");
    tiers[1]!.failure = failure;
    const cache = await CacheManager.open({ backends: tiers });
    await assert.rejects(cache.close(), failure);
    assert.deepEqual(tiers.map(({ told }) => told), [["close"], ["close"], ["close"]]);
    await assert.rejects(cache.close(), failure);
  });

  it("waits for promotions and writes under way", async () => {
    const clock = new FakeClock();
    const [near, far] = [new ToldBackend("near"), new ToldBackend("far")];
    far.isFlowing = true;
    const cache = await CacheManager.open({ backends: [near, far], clock });
    const written = cache.set("key", 1);
    near.step("set").finish();
    await written;
    near.frames.clear();
    const read = cache.get("key");
    await settle();
    near.step("get").finish();
    assert.equal(await read, 1);
    const closed = cache.close();
    await settle();
    assert.deepEqual(near.told, []);
    near.step("set").finish();
    await closed;
    assert.deepEqual(near.told, ["close"]);
    assert.ok(near.frames.has("key"));
  });

  it("does not wait for a write that never ends beyond its deadline", async () => {
    const clock = new FakeClock();
    const hung = new ToldBackend("hung", { isDeaf: true });
    const cache = await CacheManager.open({ backends: [{ backend: hung, deadline: 2 }], clock });
    const written = cache.set("key", 1);
    await settle();
    const closed = cache.close();
    await clock.advanceAsync(1999);
    assert.deepEqual(hung.told, []);
    await clock.advanceAsync(1);
    assert.equal(await written, false);
    await closed;
    assert.deepEqual(hung.told, ["close"]);
  });

  it("every call after it fails, and says so", async () => {
    const clock = new FakeClock();
    const cache = await CacheManager.open({ backends: [new SyncBackend(clock)], clock });
    const inner = cache.namespace("n");
    await cache.set("key", 1);
    await inner.set("key", 1);
    await cache.close();
    for (const scope of [cache, inner]) {
      const calls: [Promise<unknown>, string][] = [
        [scope.get("key"), "get"],
        [scope.get("key", {}), "get"],
        [scope.getMany(["key"]), "get"],
        [scope.set("key", 1), "set"],
        [scope.setMany([]), "set"],
        [scope.delete("key"), "delete"],
        [scope.deleteMany([]), "delete"],
        [scope.exists("key"), "look up"],
        [scope.clear(), "clear"],
        [scope.getOrSet("key", () => 1), "load"],
        [scope.getOrSetMany(["key"], () => [1]), "load"],
        [scope.deleteByTag("t"), "delete by tag"],
        [cache.getStats(), "read the statistics"],
        [cache.flush(), "flush"],
      ];
      for (const [call, action] of calls) {
        await assert.rejects(call, (error) => {
          assert.ok(isCacheError(error, "closed"));
          assert.equal(error.message, `Cannot ${action}: cache is closed`);
          return true;
        });
      }
      assert.throws(() => scope.peek("key"), (error) => isCacheError(error, "closed"));
    }
  });
});

describe("CacheManager.flush()", () => {
  it("waits for writes and promotions under way, and flushes the tiers that can", async () => {
    const clock = new FakeClock();
    const [near, far] = [new ToldBackend("near"), new ToldBackend("far")];
    far.isFlowing = true;
    await using cache = await CacheManager.open({ backends: [near, far], clock });
    const written = cache.set("key", 1);
    const flushed = cache.flush();
    await settle();
    assert.deepEqual(near.told, []);
    near.step("set").finish();
    await Promise.all([written, flushed]);
    assert.deepEqual(near.told, ["flush"]);
    assert.deepEqual(far.told, ["flush"]);
  });

  it("rejects when a tier cannot make durable what it has acknowledged", async () => {
    const tier = new ToldBackend();
    const cache = await CacheManager.open({ backends: [tier] });
    tier.failure = new Error("disk is gone");
    await assert.rejects(cache.flush(), { message: "disk is gone" });
  });
});
