import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isCacheError } from "../../src/errors.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { FlakyBackend } from "../fakes/flaky_backend.ts";
import { MapBackend } from "../fakes/map_backend.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";
import { watchEvents } from "../fakes/watch_events.ts";

const DEADLINE_MS = 2000;

async function open(
  { breaker }: { readonly breaker?: false | { readonly minCalls: number } } = {},
) {
  const clock = new FakeClock();
  const memory = new SyncBackend(clock, "memory");
  const inner = new MapBackend(clock, "flaky");
  const flaky = new FlakyBackend(inner, () => 0);
  const good = new MapBackend(clock, "good");
  const cache = await CacheManager.open({
    backends: [memory, { backend: flaky, deadline: `${DEADLINE_MS}ms`, breaker }, good],
    clock,
    random: () => 0.5,
  });
  const events = { down: watchEvents(cache, "tierDown"), up: watchEvents(cache, "tierUp") };
  const errors = watchEvents(cache, "tierError");
  return { cache, clock, memory, inner, flaky, good, events, errors };
}

/** Waits for a call, the clock going on. @returns its value, and how long it took by the clock. */
async function timed<T>(clock: FakeClock, call: Promise<T>): Promise<{ value: T; took: number }> {
  const start = clock.now();
  let end: number | undefined;
  const ended = (): void => void (end = clock.now());
  call.then(ended, ended);
  for (let step = 0; end === undefined && step < 1000; step++) await clock.advanceAsync(100);
  return { value: await call, took: end! - start };
}

describe("a tier that is down", () => {
  it("and hangs costs its deadline twice, and the thousandth call nothing", async () => {
    const { cache, clock, memory, flaky, good, events } = await open();
    for (let at = 0; at < 1000; at++) await cache.set(`key ${at}`, at);
    memory.entries.clear();
    flaky.hang();
    const took: number[] = [];
    for (let at = 0; at < 1000; at++) {
      const read = await timed(clock, cache.get(`key ${at}`));
      assert.equal(read.value, at, "another tier answers");
      took.push(read.took);
    }
    assert.deepEqual(took, [DEADLINE_MS, DEADLINE_MS, ...Array(998).fill(0)]);
    await good.clear();
    memory.entries.clear();
    assert.deepEqual(await timed(clock, cache.get("key 0")), { value: undefined, took: 0 });
    assert.deepEqual(events.down.map(({ tier, error }) => [tier, isCacheError(error, "timeout")]), [
      ["flaky", true],
    ]);
    const stats = (await cache.getStats()).tiers[1]!;
    assert.deepEqual([stats.isDown, stats.skipped > 998], [true, true]);
  });

  it("is asked again when it answers a probe, for which no caller waits", async () => {
    const { cache, clock, memory, flaky, events } = await open();
    await cache.set("key", 1);
    memory.entries.clear();
    flaky.hang();
    for (let call = 0; call < 2; call++) await timed(clock, cache.exists("other"));
    await clock.advanceAsync(30_000);
    assert.equal(events.up.length, 0);
    flaky.resume();
    await clock.advanceAsync(1000);
    assert.deepEqual(events.up.map(({ tier }) => tier), ["flaky"]);
    assert.equal((await cache.getStats()).tiers[1]!.isDown, false);
    assert.equal(await cache.get("key"), 1);
    assert.equal(flaky.calls.at(-1), "get");
  });

  it("takes no writes: they count as failed, and what it holds is not read before it is mended", async () => {
    const { cache, clock, memory, inner, flaky, good, events } = await open();
    await cache.setMany(["a", "b", "c"].map((key) => ({ key, value: "old" })));
    flaky.faults = { failBefore: 1 };
    memory.entries.clear();
    for (let call = 0; call < 10; call++) await cache.get("nothing");
    assert.equal(events.down.length, 1);
    const { length } = flaky.calls;
    const writes = watchEvents(cache, "write");
    assert.equal(await cache.set("a", "new"), false);
    assert.deepEqual(writes[0]!.outcomes.map(({ outcome }) => outcome), [
      "stored",
      "failed",
      "stored",
    ]);
    assert.equal(await cache.delete("b"), true);
    assert.equal(await cache.setMany([{ key: "d", value: "new" }]), false);
    assert.equal(await cache.deleteMany(["d"]), 1);
    assert.equal(await cache.clear("c*"), 1);
    assert.equal(flaky.calls.length, length, "it was left alone");

    flaky.faults = {};
    await clock.advanceAsync(1000);
    assert.equal(events.up.length, 1);
    memory.entries.clear();
    await good.clear();
    for (const key of ["a", "b", "c"]) {
      assert.notEqual(await cache.get(key), "old", key);
      await cache.flush();
    }
    assert.notEqual(await (await inner.get("a"))?.value(), "old");
    assert.equal(await inner.get("b"), undefined);
  });

  it("takes no promotions, and its keys stay trusted", async () => {
    const { cache, clock, memory, inner, flaky, good } = await open();
    await cache.set("key", 1);
    flaky.faults = { failBefore: 1 };
    for (let call = 0; call < 10; call++) await cache.get("nothing");
    memory.entries.clear();
    assert.equal(await cache.get("key"), 1);
    await cache.flush();
    flaky.faults = {};
    await clock.advanceAsync(1000);
    memory.entries.clear();
    await good.clear();
    assert.equal(await cache.get("key"), 1);
    assert.ok(await inner.exists("key"));
  });

  it("is asked each time where its breaker is false", async () => {
    const { cache, clock, flaky, events } = await open({ breaker: false });
    flaky.hang();
    for (let call = 0; call < 4; call++) {
      assert.equal((await timed(clock, cache.get("key"))).took, DEADLINE_MS);
    }
    assert.deepEqual(events.down, []);
  });

  it("counts as down by its own breaker's config", async () => {
    const { cache, flaky, events } = await open({ breaker: { minCalls: 3 } });
    flaky.faults = { failBefore: 1 };
    await cache.get("key");
    await cache.get("key");
    assert.equal(events.down.length, 0);
    await cache.get("key");
    assert.equal(events.down.length, 1);
  });

  it("is not told by one whose parts fail apart from one another", async () => {
    const clock = new FakeClock();
    const inParts = Object.assign(
      new FlakyBackend(new MapBackend(clock, "parts"), () => 0, { failBefore: 1 }),
      { failsInParts: true },
    );
    const cache = await CacheManager.open({ backends: [inParts], clock });
    const down = watchEvents(cache, "tierDown");
    for (let call = 0; call < 50; call++) await cache.get("key");
    assert.deepEqual(down, []);
    assert.equal(inParts.calls.length, 50);
  });
});

describe("a tier that does not end", () => {
  it("its clear is given up after twelve deadlines, distrusted, and holds up later writes no longer", async () => {
    const { cache, clock, flaky } = await open({ breaker: false });
    await cache.set("key", "old");
    flaky.hang();
    const cleared = await timed(clock, cache.clear());
    assert.deepEqual(cleared, { value: 1, took: 12 * DEADLINE_MS });
    flaky.resume();
    assert.equal(await cache.get("key"), undefined);
    assert.equal(await cache.set("key", "new"), true);
    assert.equal(await cache.get("key"), "new");
  });

  it("close() and flush() give it up after twelve deadlines, and close the others", async () => {
    const { cache, clock, flaky, good } = await open({ breaker: false });
    flaky.close = () => new Promise(() => {});
    (flaky as { flush?: () => Promise<void> }).flush = () => new Promise(() => {});
    const flushed = assert.rejects(cache.flush(), (error) => isCacheError(error, "timeout"));
    assert.equal((await timed(clock, flushed)).took, 12 * DEADLINE_MS);
    const closed = assert.rejects(cache.close(), (error) => {
      assert.ok(isCacheError(error, "timeout"));
      assert.match(error.message, /^Cannot close in tier "flaky"/);
      return true;
    });
    assert.equal((await timed(clock, closed)).took, 12 * DEADLINE_MS);
    await assert.rejects(good.get("key"), (error) => isCacheError(error, "closed"));
  });
});
