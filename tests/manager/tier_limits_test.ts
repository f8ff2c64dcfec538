import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { admits, capped } from "../../src/manager/tier_limits.ts";
import { entryOf } from "../fakes/entries.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

const limits = { maxTtl: Infinity, maxEntryBytes: Infinity, deadline: 1000 };

describe("admits()", () => {
  it("goes by the frame where the entry has been encoded, up to the limit itself", async () => {
    const entry = entryOf("key", new Uint8Array(100));
    const { length } = await entry.encode();
    assert.equal(length, 64 + 100 + 3);
    assert.equal(admits({ ...limits, maxEntryBytes: length }, entry), true);
    assert.equal(admits({ ...limits, maxEntryBytes: length - 1 }, entry), false);
    assert.equal(admits(limits, entry), true);
  });

  it("goes by what the value takes in memory where it has not", () => {
    const entry = entryOf("key", new Uint8Array(10_000));
    assert.equal(admits({ ...limits, maxEntryBytes: 9_000 }, entry), false);
    assert.equal(admits({ ...limits, maxEntryBytes: 20_000 }, entry), true);
  });
});

describe("capped()", () => {
  const clock = new FakeClock();
  const now = clock.now();

  it("shortens what would live too long, and keeps the rest as it is", () => {
    const short = entryOf("key", 1, { clock, ttlMs: 5000 });
    assert.equal(capped({ ...limits, maxTtl: 5000 }, short, now), short);
    assert.equal(capped(limits, short, now), short);
    const long = capped({ ...limits, maxTtl: 4999 }, short, now);
    assert.deepEqual([long.expiresAt, long.staleUntil], [now + 4999, now + 4999]);
    assert.deepEqual([long.key, long.version, long.value()], ["key", 1, 1]);
  });

  it("shortens the time in which it may be served stale without touching the other", () => {
    const stale = entryOf("key", 1, { clock, ttlMs: 1000, staleMs: 9000 });
    const { expiresAt, staleUntil } = capped({ ...limits, maxTtl: 5000 }, stale, now);
    assert.deepEqual([expiresAt, staleUntil], [now + 1000, now + 5000]);
  });
});
