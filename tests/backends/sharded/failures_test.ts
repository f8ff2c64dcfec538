import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryBackend } from "../../../backends/memory.ts";
import { createShardedBackend, type ShardedBackend } from "../../../backends/sharded.ts";
import type { CacheEntry } from "../../../src/entry/entry.ts";
import { CacheError, isCacheError } from "../../../src/errors.ts";
import { CacheManager } from "../../../src/manager/cache_manager.ts";
import type { BackendReport, CacheBackend } from "../../../src/types.ts";
import { entryOf } from "../../fakes/entries.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";
import { FlakyBackend } from "../../fakes/flaky_backend.ts";
import { settle } from "../../fakes/settle.ts";

const KEYS = Array.from({ length: 60 }, (_, at) => `key:${at}`);
const DOWN = new CacheError("unavailable", "Cannot use Redis: nothing listens at its address");

interface Fixture {
  readonly sharded: ShardedBackend;
  readonly shards: readonly [FlakyBackend, FlakyBackend, FlakyBackend];
  readonly clock: FakeClock;
  readonly reports: BackendReport[];
  /** The keys that a shard has, in the order of all. */
  readonly keysOf: (shard: FlakyBackend) => string[];
}

/** Three shards that hold all keys, each its own. */
async function open(): Promise<Fixture> {
  const clock = new FakeClock();
  const reports: BackendReport[] = [];
  const context = { clock, report: (report: BackendReport) => void reports.push(report) };
  const [a, b, c] = ["a", "b", "c"].map((name) =>
    new FlakyBackend(new MemoryBackend({ name }, context), () => 0)
  ) as [FlakyBackend, FlakyBackend, FlakyBackend];
  const sharded = await createShardedBackend({ shards: [a, b, c] }, context);
  assert.deepStrictEqual(
    await sharded.setMany!(KEYS.map((key) => entryOf(key, key, { clock }))),
    KEYS.map(() => true),
  );
  const held = new Map<FlakyBackend, string[]>();
  for (const shard of [a, b, c]) {
    const entries = await shard.getMany!(KEYS);
    held.set(shard, KEYS.filter((_, at) => entries[at] !== undefined));
  }
  return { sharded, shards: [a, b, c], clock, reports, keysOf: (shard) => held.get(shard)! };
}

function valuesOf(entries: readonly (CacheEntry | undefined)[]): Promise<unknown[]> {
  return Promise.all(entries.map((entry) => entry?.value()));
}

/** What three shards hold, with one down, and the other two not. */
async function withOneDown(): Promise<Fixture & { down: string[]; up: string[] }> {
  const fixture = await open();
  const [, b] = fixture.shards;
  const down = fixture.keysOf(b);
  b.faults = { failBefore: 1, error: DOWN };
  return { ...fixture, down, up: KEYS.filter((key) => !down.includes(key)) };
}

function assertFailedIn(error: unknown, names: string): asserts error is CacheError {
  assert.ok(isCacheError(error, "unavailable"), String(error));
  assert.equal(error.backend, "sharded");
  assert.ok(error.message.endsWith(`: failed in ${names}`), error.message);
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(() => assert.fail("it did not reject"), (error) => error);
}

describe("ShardedBackend with a shard that is down", () => {
  it("spreads keys over all shards, each in one", async () => {
    const { shards, keysOf, sharded } = await open();
    const held = shards.map(keysOf);
    assert.deepStrictEqual(held.flat().sort(), [...KEYS].sort());
    for (const keys of held) assert.ok(keys.length > 5);
    assert.equal((await sharded.getStats()).entries, KEYS.length);
  });

  it("get(), set(), delete() and exists() fail for its keys, and for no others", async () => {
    const { sharded, clock, down, up } = await withOneDown();
    for (const key of down) {
      for (
        const operation of [
          sharded.get(key),
          sharded.set(key, entryOf(key, 2, { clock })),
          sharded.delete(key),
          sharded.exists(key),
        ]
      ) assert.equal(await rejection(operation), DOWN);
    }
    for (const key of up) {
      assert.equal(await (await sharded.get(key))?.value(), key);
      assert.equal(await sharded.set(key, entryOf(key, 2, { clock })), true);
      assert.equal(await sharded.exists(key), true);
      assert.equal(await sharded.delete(key), true);
    }
  });

  it("getMany() gives what the others have, in order, and reports the failure", async () => {
    const { sharded, reports, down } = await withOneDown();
    const asked = [...KEYS.toReversed(), "missing", KEYS[0] as string];
    assert.deepStrictEqual(
      await valuesOf(await sharded.getMany!(asked)),
      asked.map((key) => down.includes(key) || key === "missing" ? undefined : key),
    );
    assert.equal(reports.length, 1);
    assert.equal(reports[0]?.kind, "error");
    assertFailedIn(reports[0].error, '"b"');
    assert.equal(reports[0].error.cause, DOWN);
  });

  it("getMany() rejects when every shard that it asked fails", async () => {
    const { sharded, reports, down, shards } = await withOneDown();
    assertFailedIn(await rejection(sharded.getMany!(down)), '"b"');
    shards[0].faults = { failBefore: 1, error: DOWN };
    shards[2].faults = { failBefore: 1, error: new Error("no CacheError") };
    const error = await rejection(sharded.getMany!(KEYS));
    assert.ok(isCacheError(error, "backend"));
    assert.ok(error.cause instanceof AggregateError && error.cause.errors.length === 3);
    assert.deepStrictEqual(reports, []);
  });

  it("a shard that hangs costs its deadline twice, and nothing more until it answers a probe", async () => {
    const { sharded, shards, keysOf, clock, reports } = await open();
    const [, hung] = shards;
    const [first, second, ...others] = keysOf(hung) as [string, string, ...string[]];
    const [elsewhere] = keysOf(shards[0]) as [string];
    hung.hang();
    for (const ask of [() => sharded.get(first), () => sharded.delete(second)]) {
      const asked = assert.rejects(ask(), (error) => isCacheError(error, "timeout"));
      await clock.advanceAsync(2000);
      await asked;
    }
    assert.equal(reports.length, 1, "it is told");
    const { calls: { length } } = hung;
    const isDown = (error: unknown): boolean =>
      isCacheError(error, "unavailable") && /shard "b": it is down/.test(error.message);
    for (const key of others) {
      await assert.rejects(sharded.get(key), isDown);
      await assert.rejects(sharded.set(key, entryOf(key, 2, { clock })), isDown);
    }
    assert.equal(hung.calls.length, length, "it is left alone");
    assert.equal(await (await sharded.get(elsewhere))?.value(), elsewhere);
    const found = await sharded.getMany!([...others, elsewhere]);
    assert.equal(found.filter((entry) => entry !== undefined).length, 1);
    hung.resume();
    await clock.advanceAsync(2000);
    assert.equal(await (await sharded.get(first))?.value(), first);
    await sharded.close();
  });

  it("getMany() waits for a shard that hangs until its own time is over", async () => {
    const { sharded, reports, shards, clock, keysOf } = await open();
    const hanging = keysOf(shards[2]);
    shards[2].hang();
    const running = sharded.getMany!(KEYS);
    await settle();
    clock.advance(2000);
    assert.deepStrictEqual(
      await valuesOf(await running),
      KEYS.map((key) => hanging.includes(key) ? undefined : key),
    );
    assert.ok(isCacheError(reports[0]?.error, "timeout"));
    shards[2].resume();
  });

  it("setMany() and deleteMany() reject with its keys, and do what is the others'", async () => {
    const { sharded, clock, down, up, shards } = await withOneDown();
    const entries = KEYS.map((key) => entryOf(key, "new", { clock }));
    const error = await rejection(sharded.setMany!(entries));
    assertFailedIn(error, '"b"');
    assert.deepStrictEqual([...error.keys ?? []].sort(), [...down].sort());
    assert.deepStrictEqual(
      await valuesOf(await sharded.getMany!(up)),
      up.map(() => "new"),
    );
    const second = await rejection(sharded.deleteMany!(KEYS));
    assertFailedIn(second, '"b"');
    assert.deepStrictEqual([...second.keys ?? []].sort(), [...down].sort());
    shards[1].faults = {};
    assert.deepStrictEqual(
      await valuesOf(await sharded.getMany!(KEYS)),
      KEYS.map((key) => down.includes(key) ? key : undefined),
    );
  });

  it("clear() clears the others and rejects", async () => {
    const { sharded, down, shards } = await withOneDown();
    assertFailedIn(await rejection(sharded.clear()), '"b"');
    shards[1].faults = {};
    assert.equal(await sharded.clear("key:*"), down.length);
  });

  it("keys() lists the others' and rejects at the end", async () => {
    const { sharded, up } = await withOneDown();
    const listed: string[] = [];
    const error = await rejection((async () => {
      for await (const key of sharded.keys!()) listed.push(key);
    })());
    assertFailedIn(error, '"b"');
    assert.deepStrictEqual(listed.sort(), [...up].sort());
  });

  it("getStats() adds up the others and reports the failure", async () => {
    const { sharded, up, reports } = await withOneDown();
    assert.equal((await sharded.getStats()).entries, up.length);
    assertFailedIn(reports[0]?.error, '"b"');
  });

  it("a signal that is aborted is what every operation on many shards rejects with", async () => {
    const { sharded, shards, clock, reports } = await open();
    for (const shard of shards) shard.pause();
    const entries = KEYS.map((key) => entryOf(key, "new", { clock }));
    for (
      const operate of [
        (signal: AbortSignal) => sharded.getMany!(KEYS, { signal }),
        (signal: AbortSignal) => sharded.setMany!(entries, { signal }),
        (signal: AbortSignal) => sharded.deleteMany!(KEYS, { signal }),
        (signal: AbortSignal) => sharded.clear(undefined, { signal }),
      ]
    ) {
      const controller = new AbortController();
      const reason = new Error("no longer");
      const running = rejection(operate(controller.signal));
      await settle();
      controller.abort(reason);
      assert.equal(await running, reason);
    }
    assert.deepStrictEqual(reports, []);
    for (const shard of shards) shard.resume();
  });

  it("close() closes what it opened and flushes what it was given, and rejects when one fails", async () => {
    const context = { clock: new FakeClock(), report: () => {} };
    const closed: string[] = [];
    const watched = (name: string): CacheBackend =>
      Object.assign(new MemoryBackend({ name }, context), {
        close: () => Promise.resolve(void closed.push(`${name} closed`)),
        flush: () => Promise.resolve(void closed.push(`${name} flushed`)),
      });
    const failing = Object.assign(new MemoryBackend({ name: "failing" }, context), {
      flush: () => Promise.reject(DOWN),
    });
    const sharded = await createShardedBackend(
      { shards: [watched("given"), { backend: failing }, { type: "memory", id: "own" }] },
      context,
    );
    const [own] = KEYS.filter((key) => sharded.getSync!(key) === undefined);
    assert.ok(own !== undefined);
    assertFailedIn(await rejection(sharded.close()), '"failing"');
    assert.deepStrictEqual(closed, ["given flushed"]);
    assert.equal(await failing.get("still open"), undefined);
    assert.equal(sharded.getSync!("key"), undefined);
  });

  it("a tier distrusts only the keys whose shard failed in a batch", async () => {
    const { sharded, shards, down, up, clock } = await withOneDown();
    const cache = await CacheManager.open({ backends: [sharded], clock });
    const errors: unknown[] = [];
    cache.on("tierError", ({ error }) => errors.push(error));
    await cache.setMany(KEYS.map((key) => ({ key, value: "new" })));
    shards[1].faults = {};
    assert.deepStrictEqual(
      await cache.getMany(KEYS),
      KEYS.map((key) => down.includes(key) ? undefined : "new"),
    );
    assert.equal(errors.length, 1);
    assert.equal(await cache.get(up[0] as string), "new");
    await cache.close();
  });
});
