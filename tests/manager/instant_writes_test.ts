import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CacheEntry } from "../../src/entry/entry.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { HeldLoader } from "../fakes/held_loader.ts";
import { settle } from "../fakes/settle.ts";
import { openOver } from "../fakes/open_caches.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";

/** A store in this process whose writes fail as a promise does, for as long as it is told to. */
class RejectingBackend extends SyncBackend {
  rejects = false;

  override async set(key: string, entry: CacheEntry): Promise<boolean> {
    if (this.rejects) throw new Error("memory is gone");
    return await super.set(key, entry);
  }
}

describe("writes to memory alone", () => {
  it("are there before their promise is", async () => {
    const cache = await openOver(new SyncBackend(new FakeClock()));
    const stored = cache.set("key", 1);
    assert.equal(cache.peek("key"), 1);
    assert.equal(await stored, true);
    assert.equal((await cache.getStats()).tiers[0]!.writes, 1);
    await cache.close();
  });

  for (const way of ["throws", "rejects"] as const) {
    it(`leave nothing older to be read when the tier ${way}`, async () => {
      const backend = new RejectingBackend(new FakeClock());
      const cache = await openOver(backend);
      await cache.set("key", "old");
      const errors: string[] = [];
      cache.on("tierError", ({ operation, key }) => errors.push(`${operation} ${key}`));
      if (way === "throws") backend.faults.set("set", new Error("memory is gone"));
      else backend.rejects = true;
      assert.equal(await cache.set("key", "new"), false);
      assert.deepEqual(errors, ["write key"]);
      assert.equal(await cache.get("key"), undefined);
      backend.faults.clear();
      backend.rejects = false;
      assert.equal(await cache.set("key", "newer"), true);
      assert.equal(await cache.get("key"), "newer");
      await cache.close();
    });
  }

  it("are refused by promise: what no format carries, what is aborted, and a closed cache", async () => {
    const cache = await openOver(new SyncBackend(new FakeClock()));
    await assert.rejects(cache.set("key", undefined), /Cannot set: value is undefined/);
    await assert.rejects(cache.set(7 as unknown as string, 1), /key must be a string/);
    const signal = AbortSignal.abort(new Error("enough"));
    await assert.rejects(cache.set("key", 1, { signal }), /enough/);
    await cache.close();
    await assert.rejects(cache.set("key", 1), /closed/);
  });

  it("are not undone by a load that began before", async () => {
    const cache = await openOver(new SyncBackend(new FakeClock()));
    const loader = new HeldLoader();
    const loading = cache.getOrSet("key", loader.load);
    await settle();
    await cache.set("key", "written");
    loader.calls[0]!.answer("loaded");
    await loading;
    assert.equal(await cache.get("key"), "written");
    await cache.close();
  });

  it("that the tier does not admit leave nothing older behind", async () => {
    const backend = new SyncBackend(new FakeClock());
    const cache = await CacheManager.open({ backends: [{ backend, maxEntryBytes: 100 }] });
    await cache.set("key", "small");
    assert.equal(await cache.set("key", "x".repeat(1000)), false);
    assert.equal(await cache.get("key"), undefined);
    await cache.close();
  });
});
