import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isCacheError } from "../../src/errors.ts";
import type { LoadOptions } from "../../src/manager/cache.ts";
import type { CacheManager } from "../../src/manager/cache_manager.ts";
import type { FakeClock } from "../fakes/fake_clock.ts";
import { CountingLoader, HeldLoader } from "../fakes/held_loader.ts";
import { openBoth } from "../fakes/open_caches.ts";
import { settle } from "../fakes/settle.ts";
import { watchEvents } from "../fakes/watch_events.ts";

const SECOND_MS = 1000;

/** A cache that holds 1, loaded with a TTL of ten seconds, which are over. */
async function openStale(
  options: LoadOptions,
): Promise<{ cache: CacheManager; clock: FakeClock; all: LoadOptions }> {
  const { cache, clock } = await openBoth();
  const all = { ttl: "10s", ...options };
  assert.equal(await cache.getOrSet("key", () => 1, all), 1);
  await clock.advanceAsync(10 * SECOND_MS);
  return { cache, clock, all };
}

describe("CacheManager.getOrSet() with patience", () => {
  it("gives a stale value at once and loads it again, once", async () => {
    const { cache, all } = await openStale({ staleFor: "1m" });
    const stale = watchEvents(cache, "stale");
    const loader = new HeldLoader();
    assert.equal(await cache.getOrSet("key", loader.load, all), 1);
    assert.equal(await cache.getOrSet("key", loader.load, all), 1);
    await settle();
    assert.equal(loader.calls.length, 1);
    loader.calls[0]!.answer(2);
    await settle();
    assert.equal(await cache.getOrSet("key", loader.load, all), 2);
    assert.equal(await cache.get("key"), 2);
    assert.deepEqual(stale, [{ key: "key", error: undefined }, { key: "key", error: undefined }]);
  });

  it("a stale value is a miss to whoever does not ask for one", async () => {
    const { cache } = await openStale({ staleFor: "1m" });
    assert.equal(await cache.get("key"), undefined);
    assert.equal(cache.peek("key"), undefined);
    assert.deepEqual(await cache.getMany(["key"]), [undefined]);
    assert.equal(await cache.getOrSet("key", () => 2), 2);
  });

  it("gives no stale value that is older than it may be, was deleted or dropped by tag", async () => {
    const changes: ((cache: CacheManager, clock: FakeClock) => Promise<unknown>)[] = [
      (_cache, clock) => clock.advanceAsync(60 * SECOND_MS),
      (cache) => cache.delete("key"),
      (cache) => cache.deleteByTag("t"),
      (cache) => cache.clear(),
    ];
    for (const change of changes) {
      const { cache, clock, all } = await openStale({ staleFor: "1m", tags: ["t"] });
      await change(cache, clock);
      assert.equal(await cache.getOrSet("key", () => 2, all), 2);
    }
  });

  it("waits for a loader until the soft timeout, then gives the stale value; the loader goes on", async () => {
    const { cache, clock, all } = await openStale({ staleFor: "1m", softTimeout: "100ms" });
    const loader = new HeldLoader();
    const quick = cache.getOrSet("key", loader.load, all);
    await settle();
    loader.calls[0]!.answer(2);
    assert.equal(await quick, 2);
    await clock.advanceAsync(10 * SECOND_MS);
    const slow = cache.getOrSet("key", loader.load, all);
    await settle();
    await clock.advanceAsync(100);
    assert.equal(await slow, 2);
    assert.equal(loader.calls[1]!.signal.aborted, false);
    loader.calls[1]!.answer(3);
    await settle();
    assert.equal(await cache.get("key"), 3);
  });

  it("gives the stale value when the loader fails, and tells of it", async () => {
    const { cache, all } = await openStale({ staleFor: "1m", softTimeout: "100ms" });
    const stale = watchEvents(cache, "stale");
    const failure = new Error("broken");
    assert.equal(await cache.getOrSet("key", () => Promise.reject(failure), all), 1);
    assert.deepEqual(stale, [{ key: "key", error: failure }]);
    assert.equal(await cache.getOrSet("key", () => 2, all), 2);
  });

  it("gives up at the hard timeout, or gives the stale value; others wait on", async () => {
    const { cache, clock } = await openBoth();
    const loader = new HeldLoader();
    const impatient = cache.getOrSet("key", loader.load, { hardTimeout: "1s" });
    const patient = cache.getOrSet("key", loader.load);
    await settle();
    const given = assert.rejects(
      impatient,
      (error) => isCacheError(error, "timeout") && /no value within 1000 ms/.test(error.message),
    );
    await clock.advanceAsync(SECOND_MS);
    await given;
    assert.equal(loader.calls[0]!.signal.aborted, false);
    loader.calls[0]!.answer(1);
    assert.equal(await patient, 1);

    const { cache: old, clock: itsClock, all } = await openStale({
      staleFor: "1m",
      softTimeout: "100ms",
      hardTimeout: "1s",
    });
    const late = new HeldLoader();
    const asked = old.getOrSet("key", late.load, all);
    await itsClock.advanceAsync(2 * SECOND_MS);
    assert.equal(await asked, 1);
    assert.equal(late.calls[0]!.signal.aborted, true, "nobody waits for it any more");
  });

  it("loads a value again ahead of time, in the background", async () => {
    const { cache, clock } = await openBoth();
    const loader = new CountingLoader();
    const options = { ttl: "10s", refreshAhead: 0.8 };
    assert.equal(await cache.getOrSet("key", loader.load, options), 1);
    await clock.advanceAsync(7 * SECOND_MS);
    assert.equal(await cache.getOrSet("key", loader.load, options), 1);
    await settle();
    assert.equal(loader.calls.length, 1);
    await clock.advanceAsync(SECOND_MS);
    assert.equal(await cache.getOrSet("key", loader.load, options), 1, "fresh still");
    await settle();
    assert.equal(await cache.getOrSet("key", loader.load, options), 2);
    await clock.advanceAsync(5 * SECOND_MS);
    assert.equal(await cache.get("key"), 2);
  });

  it("keeps null for a time of its own", async () => {
    const { cache, clock } = await openBoth();
    const loader = new CountingLoader();
    const none = (): null => (loader.load({ key: "", signal: new AbortController().signal }), null);
    const options = { ttl: "1h", negativeTtl: "5s", staleFor: "1h" };
    assert.equal(await cache.getOrSet("key", none, options), null);
    assert.equal(await cache.getOrSet("key", none, options), null);
    assert.equal(loader.calls.length, 1);
    await clock.advanceAsync(5 * SECOND_MS);
    assert.equal(await cache.getOrSet<number | null>("key", () => 7, options), 7);
  });

  it("a loader that asks for its own key gets a clear error", async () => {
    const { cache } = await openBoth();
    await assert.rejects(
      cache.getOrSet("key", () => cache.getOrSet("key", () => 1)),
      { name: "TypeError", message: 'Cannot load "key": its own loader asks for it' },
    );
    assert.equal(await cache.getOrSet("key", () => cache.getOrSet("other", () => 1)), 1);
  });

  it("so does one that asks under a policy, or among others", async () => {
    const { cache } = await openBoth();
    const own = { name: "TypeError", message: 'Cannot load "key": its own loader asks for it' };
    const patient = (): Promise<number> => cache.getOrSet("key", () => 1, { staleFor: "1m" });
    const many = (): Promise<number[]> => cache.getOrSetMany(["other", "key"], () => [1, 2]);
    await assert.rejects(cache.getOrSet("key", patient), own);
    await assert.rejects(cache.getOrSet<unknown>("key", many), own);
    await assert.rejects(cache.getOrSetMany(["key"], many), own);
    await assert.rejects(cache.getOrSetMany(["key"], async () => [await patient()]), own);
  });

  it("a loader that never ends is given up, once one has waited for it in vain that came when it was late", async () => {
    const { cache, clock } = await openBoth();
    const loader = new HeldLoader();
    const refused: Promise<void>[] = [];
    const ask = (hardTimeout: string): void => {
      const asked = cache.getOrSet("key", loader.load, { hardTimeout });
      refused.push(assert.rejects(asked, (error) => isCacheError(error, "timeout")));
    };
    // There is somebody who waits at every moment.
    for (let second = 0; second < 4; second++) {
      ask("2s");
      await clock.advanceAsync(SECOND_MS);
      if (second < 3) assert.equal(loader.calls.length, 1);
    }
    const patient = cache.getOrSet("key", loader.load);
    await clock.advanceAsync(SECOND_MS);
    await Promise.all(refused.slice(0, 3));
    assert.equal(loader.calls.length, 2);
    assert.equal(loader.calls[0]!.signal.aborted, true);
    loader.calls[1]!.answer("new");
    assert.equal(await patient, "new");
    loader.calls[0]!.answer("lost");
    await settle();
    assert.equal(await cache.get("key"), "new");
  });

  it("those who were given the stale value do not stand in line to load when the loader fails", async () => {
    for (const softTimeout of [undefined, "1s"]) {
      const { cache, clock, all } = await openStale({ staleFor: "1m", softTimeout });
      const loader = new HeldLoader();
      const asked = [1, 2, 3].map(() => cache.getOrSet("key", loader.load, all));
      await clock.advanceAsync(SECOND_MS);
      assert.deepEqual(await Promise.all(asked), [1, 1, 1]);
      loader.calls[0]!.fail(new Error("down"));
      await settle();
      assert.equal(loader.calls.length, 1);
    }
  });

  it("nor those whose value is loaded again ahead of time", async () => {
    const { cache, clock } = await openBoth();
    const options = { ttl: "10s", refreshAhead: 0.5 };
    await cache.getOrSet("key", () => 1, options);
    await clock.advanceAsync(6 * SECOND_MS);
    const loader = new HeldLoader();
    for (let at = 0; at < 3; at++) await cache.getOrSet("key", loader.load, options);
    await settle();
    loader.calls[0]!.fail(new Error("down"));
    await settle();
    assert.equal(loader.calls.length, 1);
  });

  it("refuses options that are none", async () => {
    const { cache } = await openBoth();
    const seconds = 3600 as unknown as LoadOptions;
    const message = /options must be an object such as { ttl: 3600 }: current value is 3600$/;
    await assert.rejects(cache.set("key", 1, seconds), message);
    await assert.rejects(cache.getOrSet("key", () => 1, seconds), message);
    await assert.rejects(cache.getOrSetMany(["key"], () => [1], seconds), message);
    const load = (options: LoadOptions) => cache.getOrSet("key", () => 1, options);
    await assert.rejects(load({ softTimeout: "soon" }), TypeError);
    await assert.rejects(load({ hardTimeout: -1 }), RangeError);
    await assert.rejects(load({ refreshAhead: 1 }), RangeError);
    await assert.rejects(load({ refreshAhead: "1" as unknown as number }), TypeError);
    await assert.rejects(load({ softTimeout: 2, hardTimeout: 1 }), RangeError);
  });
});
