import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CacheEntry } from "../../src/entry/entry.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { MapBackend } from "../fakes/map_backend.ts";

/** A store whose reads need no waiting, as long as it is told so; counts both ways of reading. */
class InstantBackend extends MapBackend {
  answersAtOnce = true;
  fails = false;
  readonly reads = { instant: 0, waiting: 0 };
  readonly #held = new Map<string, CacheEntry>();

  override async set(key: string, entry: CacheEntry): Promise<boolean> {
    this.#held.set(key, decoded(entry, await entry.encode()));
    return await super.set(key, entry);
  }

  override async delete(key: string): Promise<boolean> {
    this.#held.delete(key);
    return await super.delete(key);
  }

  override get(key: string): Promise<CacheEntry | undefined> {
    this.reads.waiting++;
    return super.get(key);
  }

  readNow(key: string): CacheEntry | undefined | "wait" {
    if (this.fails) throw new Error("disk is gone");
    if (!this.answersAtOnce) return "wait";
    this.reads.instant++;
    return this.#held.get(key);
  }
}

/** The entry as a store of bytes would give it back. */
function decoded(entry: CacheEntry, frame: Uint8Array): CacheEntry {
  return CacheEntry.decode(entry.key, frame);
}

async function open(): Promise<{ cache: CacheManager; disk: InstantBackend }> {
  const clock = new FakeClock();
  const disk = new InstantBackend(clock, "disk");
  const cache = await CacheManager.open({
    clock,
    backends: [{ type: "memory", maxEntries: 1, evictionPolicy: "fifo" }, disk],
  });
  await cache.set("a", { of: "a" });
  await cache.set("b", { of: "b" });
  return { cache, disk };
}

describe("reads that need no waiting", () => {
  it("find what only the disk has, and copy it into memory", async () => {
    const { cache, disk } = await open();
    assert.equal(cache.peek("a"), undefined);
    const promotions: string[] = [];
    cache.on("promotion", ({ key, from, to }) => promotions.push(`${key} ${from} ${to}`));
    assert.deepEqual(await cache.get("a"), { of: "a" });
    assert.deepEqual(disk.reads, { instant: 1, waiting: 0 });
    assert.deepEqual(cache.peek("a"), { of: "a" });
    assert.deepEqual(promotions, ["a disk memory"]);
    const { hits, misses, tiers } = await cache.getStats();
    assert.deepEqual(
      { hits, misses, tiers: tiers.map((tier) => [tier.hits, tier.misses, tier.promotions]) },
      { hits: 1, misses: 0, tiers: [[0, 1, 1], [1, 0, 0]] },
    );
    await cache.close();
  });

  it("leave to others what has to be waited for, what fails and what is missing", async () => {
    const { cache, disk } = await open();
    disk.answersAtOnce = false;
    assert.deepEqual(await cache.get("a"), { of: "a" });
    assert.deepEqual(disk.reads, { instant: 0, waiting: 1 });
    disk.fails = true;
    assert.deepEqual(await cache.get("b"), { of: "b" });
    assert.deepEqual(disk.reads, { instant: 0, waiting: 2 });
    disk.fails = false;
    disk.answersAtOnce = true;
    assert.equal(await cache.get("neither"), undefined);
    assert.deepEqual(disk.reads, { instant: 1, waiting: 3 });
    assert.equal((await cache.getStats()).misses, 1);
    await cache.close();
  });

  it("do not copy what is being written or deleted at the time", async () => {
    const { cache } = await open();
    const deleted = cache.delete("a");
    await cache.get("a");
    await deleted;
    assert.equal(cache.peek("a"), undefined);
    assert.equal(await cache.get("a"), undefined);
    await cache.close();
  });

  it("find nothing once the cache is closed", async () => {
    const { cache } = await open();
    await cache.close();
    await assert.rejects(cache.get("a"), { code: "closed" });
  });
});
