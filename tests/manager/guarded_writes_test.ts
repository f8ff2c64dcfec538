import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CacheEntry } from "../../src/entry/entry.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import type { CacheBackend, OperationOptions } from "../../src/types.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { MapBackend } from "../fakes/map_backend.ts";
import { settle } from "../fakes/settle.ts";

const DEADLINE_MS = 1000;

/** A store that holds on to every write until it is told to let it go, whatever its signal says. */
class HoldingBackend extends MapBackend {
  /** The options of each write so far. */
  readonly writes: (OperationOptions | undefined)[] = [];
  readonly #held: (() => void)[] = [];

  override async set(key: string, entry: CacheEntry, options?: OperationOptions): Promise<boolean> {
    await this.hold(options);
    return await super.set(key, entry);
  }

  async hold(options: OperationOptions | undefined): Promise<void> {
    this.writes.push(options);
    await new Promise<void>((resolve) => this.#held.push(resolve));
  }

  letGo(): void {
    for (const resolve of this.#held.splice(0)) resolve();
  }
}

/** The same with a batch call. */
class HoldingBatches extends HoldingBackend {
  async setMany(entries: readonly CacheEntry[], options?: OperationOptions): Promise<boolean[]> {
    await this.hold(options);
    return entries.map(() => true);
  }
}

async function open(backend: CacheBackend, clock: FakeClock): Promise<CacheManager> {
  return await CacheManager.open({ clock, backends: [{ backend, deadline: "1s" }] });
}

describe("writes that are given up at their deadline", () => {
  for (const Backend of [HoldingBackend, HoldingBatches]) {
    it(`are told so by their signal, many at once and by ${Backend.name} too`, async () => {
      const clock = new FakeClock();
      const backend = new Backend(clock);
      const cache = await open(backend, clock);
      const calls = [
        cache.set("one", 1),
        cache.setMany([{ key: "two", value: 2 }, { key: "three", value: 3 }]),
        cache.warm(["four"], { loader: () => [4] }),
      ];
      await settle();
      await clock.advanceAsync(DEADLINE_MS);
      await Promise.all(calls);
      assert.ok(backend.writes.length >= 3);
      for (const options of backend.writes) assert.equal(options?.signal?.aborted, true);
      backend.letGo();
      await cache.close();
    });
  }

  it("are not begun when their turn comes after that", async () => {
    const clock = new FakeClock();
    const backend = new HoldingBackend(clock);
    const cache = await open(backend, clock);
    const calls = [cache.set("key", 1), cache.set("key", 2)];
    await settle();
    await clock.advanceAsync(DEADLINE_MS);
    assert.deepEqual(await Promise.all(calls), [false, false]);
    backend.letGo();
    await settle();
    assert.equal(backend.writes.length, 1);
    await cache.close();
  });
});
