import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { describe, it } from "node:test";
import { SLOT_BYTES } from "../../src/entry/stream_frame.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { bytesFrom, bytesOfSize } from "../backend_suite/stream_parts.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { GatedBackend } from "../fakes/gated_backend.ts";
import { settle } from "../fakes/settle.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";
import { watchEvents } from "../fakes/watch_events.ts";

const MIB = 1024 * 1024;
const DEADLINE_MS = 5000;

/** Bytes that may wait in front of a tier that is written to, and behind a reader. */
const QUEUE_BYTES = MIB;
const LAG_BYTES = 8 * MIB;

/** A piece on its way, a chunk that is filled, one that is pushed, and the room it was pushed into. */
const SLACK_BYTES = 4 * SLOT_BYTES;

const VALUE = bytesOfSize(14 * MIB);

/** A source that counts what it is asked for. */
function counted(value: Uint8Array): { source: ReadableStream<Uint8Array>; given: () => number } {
  let given = 0;
  const source = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (given === value.length) return controller.close();
      const piece = value.slice(given, given + 100_000);
      given += piece.length;
      controller.enqueue(piece);
    },
  }, { highWaterMark: 0 });
  return { source, given: () => given };
}

/** A cache over memory and two tiers of streams. */
async function open() {
  const clock = new FakeClock();
  const memory = new SyncBackend(clock, "memory");
  const fast = new GatedBackend(clock, "fast");
  const slow = new GatedBackend(clock, "slow");
  const backends = [memory, ...[fast, slow].map((backend) => ({ backend, deadline: "5s" }))];
  const cache = await CacheManager.open({ backends, clock });
  return { cache, clock, memory, fast, slow };
}

/** As {@linkcode open}, with a value that only the slow tier has. */
async function openFilled() {
  const parts = await open();
  assert.equal(await parts.cache.setStream("key", bytesFrom([VALUE.slice()])), true);
  parts.memory.entries.clear();
  parts.fast.held.clear();
  for (const tier of [parts.fast, parts.slow]) tier.reset();
  return parts;
}

/** Lets streams move as far as they can without anybody's help. */
async function rest(look: () => unknown): Promise<void> {
  for (let calm = 0, seen = look(); calm < 5; calm++) {
    await settle();
    await new Promise((resolve) => setImmediate(resolve));
    const now = look();
    if (now !== seen) calm = 0;
    seen = now;
  }
}

/** Lets promises run until something holds. */
async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; !holds(); turn++) {
    assert.ok(turn < 10_000, "it does not come about");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("the pace of setStream()", () => {
  it("is that of its slowest tier, which holds up source and other tiers", async () => {
    const { cache, fast, slow, memory } = await open();
    slow.allow(0);
    const { source, given } = counted(VALUE);
    let isOver = false;
    const storing = cache.setStream("key", source).finally(() => isOver = true);
    for (let pieces = 0; !isOver; pieces++) {
      await rest(() => given() + slow.taken + fast.taken);
      const ahead = given() - slow.taken;
      assert.ok(ahead <= QUEUE_BYTES + SLACK_BYTES, `${ahead} bytes ahead after ${pieces} pieces`);
      assert.ok(fast.taken <= given() + 1000, "the other tier has what was there");
      assert.ok(pieces < 100);
      assert.equal(slow.held.size + fast.held.size + memory.entries.size, 0);
      if (given() < VALUE.length) slow.allow(1);
      else slow.allow(Infinity);
      if (given() === VALUE.length) await storing;
    }
    assert.equal(await storing, true);
    assert.deepStrictEqual(slow.held.get("key")!.frame, fast.held.get("key")!.frame);
    await cache.close();
  });

  it("bears with a tier that takes far longer than its deadline in all, and never as long at once", async () => {
    const { cache, clock, fast, slow } = await open();
    slow.allow(0);
    const { source, given } = counted(VALUE);
    const begun = clock.now();
    const storing = cache.setStream("key", source);
    while (given() < VALUE.length) {
      await rest(() => given() + slow.taken);
      await clock.advanceAsync(DEADLINE_MS - 1);
      slow.allow(1);
    }
    slow.allow(Infinity);
    assert.equal(await storing, true);
    assert.ok(clock.now() - begun > 5 * DEADLINE_MS);
    assert.deepStrictEqual([...fast.held.keys()], [...slow.held.keys()]);
    await cache.close();
  });

  it("leaves a tier behind that stands still in mid-stream, at its deadline and no earlier", async () => {
    const { cache, clock, fast, slow } = await open();
    const errors = watchEvents(cache, "tierError");
    // The header and some chunks.
    slow.allow(5);
    const { source, given } = counted(VALUE);
    const storing = cache.setStream("key", source);
    await rest(given);
    assert.ok(given() < 4 * MIB);
    await clock.advanceAsync(DEADLINE_MS - 1);
    await rest(given);
    assert.ok(given() < 4 * MIB && errors.length === 0, "it still has time");
    await clock.advanceAsync(1);
    assert.equal(await storing, false);
    assert.deepStrictEqual(errors.map(({ tier, operation }) => [tier, operation]), [
      ["slow", "write"],
    ]);
    assert.equal(slow.stopped.length, 1);
    assert.deepStrictEqual([fast.held.size, slow.held.size], [1, 0]);
    await cache.close();
  });
});

describe("the pace of several tiers", () => {
  it("is held up for one deadline by all that stand still", async () => {
    const { cache, clock, memory, fast, slow } = await open();
    for (const tier of [fast, slow]) tier.allow(5);
    const { source, given } = counted(VALUE);
    const storing = cache.setStream("key", source);
    await rest(given);
    await clock.advanceAsync(DEADLINE_MS);
    assert.equal(await storing, false);
    assert.deepStrictEqual([memory.entries.size, fast.held.size, slow.held.size], [1, 0, 0]);
    await cache.close();
  });
});

describe("the pace of getStream()", () => {
  it("is that of its reader: nothing is read ahead of it but what its chunk needs", async () => {
    const { cache, slow } = await openFilled();
    const reader = (await cache.getStream("key"))!.getReader();
    let read = 0;
    for (;;) {
      await rest(() => slow.given);
      const ahead = slow.given - read;
      assert.ok(ahead <= SLOT_BYTES + 100_000, `${ahead} bytes ahead of ${read}`);
      const { done, value } = await reader.read();
      if (done) break;
      read += value.length;
    }
    assert.equal(read, VALUE.length);
    await cache.close();
  });

  it("is not that of a copy, which may be so far behind and is given up when it is further", async () => {
    const { cache, memory, fast, slow } = await openFilled();
    fast.allow(2);
    const reader = (await cache.getStream("key"))!.getReader();
    let read = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      await rest(() => fast.taken);
      read += value.length;
      const lag = read - fast.taken;
      if (lag <= LAG_BYTES) assert.equal(fast.stopped.length, 0, `${lag} bytes behind`);
      if (lag > LAG_BYTES + 2 * SLOT_BYTES) {
        assert.equal(fast.stopped.length, 1, `${lag} bytes behind`);
      }
    }
    assert.equal(read, VALUE.length);
    await cache.flush();
    fast.allow(Infinity);
    await rest(() => fast.taken);
    assert.ok(fast.taken < MIB, "nothing is held for it any more");
    assert.deepStrictEqual([fast.held.size, slow.held.size], [0, 1]);
    assert.equal(memory.entries.size, 1, "the other copy is whole");
    await cache.close();
  });

  it("lets a copy that is behind come to its end after the reader has", async () => {
    const { cache, fast, slow } = await open();
    await cache.setStream("key", bytesFrom([VALUE.slice(0, 5 * MIB)]));
    fast.held.clear();
    // Memory has it: a cache without shows the two others.
    const clock = new FakeClock();
    const alone = await CacheManager.open({ backends: [fast, slow], clock });
    fast.allow(1);
    const promoted = watchEvents(alone, "promotion");
    const read = await new Response(await alone.getStream("key")).arrayBuffer();
    assert.equal(read.byteLength, 5 * MIB);
    await rest(() => fast.taken);
    assert.equal(fast.held.size, 0, "nothing of it is seen before");
    fast.allow(Infinity);
    await alone.flush();
    assert.deepStrictEqual(fast.held.get("key")!.frame, slow.held.get("key")!.frame);
    assert.deepStrictEqual(promoted, [{ key: "key", from: "slow", to: "fast" }]);
    await cache.close();
  });

  it("gives a copy up that is behind when the reader cancels", async () => {
    const { cache, memory, fast } = await openFilled();
    fast.allow(2);
    const reader = (await cache.getStream("key"))!.getReader();
    for (let read = 0; read < 8; read++) await reader.read();
    const reason = new Error("enough");
    await reader.cancel(reason);
    await until(() => fast.stopped.length === 1);
    assert.deepStrictEqual(fast.stopped, [reason]);
    fast.allow(Infinity);
    await cache.flush();
    assert.deepStrictEqual([fast.held.size, memory.entries.size], [0, 0]);
    await cache.close();
  });
});
