import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryBackend, type MemoryConfig } from "../../../backends/memory.ts";
import { entryOf } from "../../fakes/entries.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";

function open(config: MemoryConfig = {}) {
  const clock = new FakeClock();
  const backend = new MemoryBackend(config, { clock, report: () => {} });
  const set = (key: string, options = {}): Promise<boolean> =>
    backend.set(key, entryOf(key, 1, { clock, ...options }));
  const entries = async (): Promise<number> => (await backend.getStats()).entries ?? NaN;
  return { backend, clock, set, entries };
}

describe("expiry in the background", () => {
  it("has a timer only while there is an entry that can expire", async () => {
    const { backend, clock, set } = open();
    await set("lasting");
    assert.equal(clock.pendingTimers, 0);
    await set("a", { ttlMs: 500 });
    await set("b", { ttlMs: 500 });
    assert.equal(clock.pendingTimers, 1);
    clock.advance(1000);
    assert.equal(clock.pendingTimers, 0);
    const { entries, expirations, evictions } = await backend.getStats();
    assert.deepStrictEqual({ entries, expirations, evictions }, {
      entries: 1,
      expirations: 2,
      evictions: 0,
    });
    await set("a", { ttlMs: 500 });
    await backend.delete("a");
    clock.advance(1000);
    assert.equal(clock.pendingTimers, 0);
    await set("a", { ttlMs: 500 });
    await set("a");
    clock.advance(1000);
    assert.equal(clock.pendingTimers, 0);
    assert.equal((await backend.get("a"))?.key, "a");
  });

  it("ends with close()", async () => {
    const { backend, clock, set } = open();
    await set("a", { ttlMs: 500 });
    await backend.close();
    assert.equal(clock.pendingTimers, 0);
    clock.advance(10_000);
  });

  it("removes a bounded number in one run, and the rest soon after", async () => {
    const { backend, clock, set, entries } = open();
    for (let n = 0; n < 10_000; n++) await set(`key ${n}`, { ttlMs: 500 });
    clock.advance(1000);
    const left = await entries();
    assert.ok(left > 5000 && left < 10_000, `${left} are left`);
    clock.advance(100);
    assert.equal(await entries(), 0);
    assert.equal((await backend.getStats()).expirations, 10_000);
  });

  it("finds the last of many that do not expire", async () => {
    const { backend, clock, set, entries } = open();
    for (let n = 0; n < 30_000; n++) await set(`key ${n}`);
    await set("short", { ttlMs: 500 });
    clock.advance(10_000);
    assert.equal(await entries(), 30_000);
    assert.equal(clock.pendingTimers, 0);
    assert.equal((await backend.getStats()).expirations, 1);
  });

  it("runs as often as the config says", async () => {
    const { clock, set, entries } = open({ sweepInterval: "1m" });
    await set("a", { ttlMs: 500 });
    clock.advance(59_999);
    assert.equal(await entries(), 1);
    clock.advance(1);
    assert.equal(await entries(), 0);
  });

  it("leaves an entry that may still be served stale, which is a miss", async () => {
    const { backend, clock, set, entries } = open();
    await set("a", { ttlMs: 1500, staleMs: 5000 });
    clock.advance(1500);
    assert.equal(backend.getSync("a"), undefined);
    assert.equal(backend.peek("a"), undefined);
    assert.equal(await backend.exists("a"), false);
    clock.advance(4000);
    assert.equal(await entries(), 1);
    clock.advance(2000);
    assert.equal(await entries(), 0);
    assert.equal(clock.pendingTimers, 0);
  });
});

describe("expiry on reading", () => {
  it("removes the entry at once and counts it", async () => {
    const { backend, clock, set } = open({ sweepInterval: "1h" });
    for (const key of ["a", "b", "c"]) await set(key, { ttlMs: 10 });
    clock.advance(10);
    assert.equal(backend.getSync("a"), undefined);
    assert.equal(backend.peek("b"), undefined);
    const { entries, expirations, bytes = NaN } = await backend.getStats();
    assert.deepStrictEqual([entries, expirations], [1, 2]);
    assert.ok(bytes > 0);
    assert.equal(await backend.clear(), 0);
    assert.equal((await backend.getStats()).bytes, 0);
  });
});
