import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { compileGlob } from "../../src/glob.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import type { CoordinationConfig } from "../../src/manager/coordination_options.ts";
import type { CacheBackend } from "../../src/types.ts";
import { FakeBus, FakeChannel } from "../fakes/fake_bus.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { HeldLoader } from "../fakes/held_loader.ts";
import { settle } from "../fakes/settle.ts";
import { SharedStore, SteppedBackend } from "../fakes/stepped_backend.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";
import { watchEvents } from "../fakes/watch_events.ts";

const PERIOD_MS = 2000;

/** A shared store that can be made to fail. */
class SharedBackend extends SteppedBackend {
  isBroken = false;
  sets = 0;

  constructor(store: SharedStore, clock: FakeClock) {
    super("shared", { store, clock });
    this.isFlowing = true;
    const { setNewest, deleteUpTo } = this;
    const own: Pick<CacheBackend, "setNewest" | "deleteUpTo"> = {
      setNewest: (entries, options) => {
        this.sets++;
        return this.isBroken ? broken() : setNewest!(entries, options);
      },
      deleteUpTo: (keys, version, options) =>
        this.isBroken ? broken() : deleteUpTo!(keys, version, options),
    };
    Object.assign(this, own);
  }

  override get: SteppedBackend["get"] = (key) =>
    this.isBroken ? broken() : Promise.resolve(this.read(key));
  override clear: SteppedBackend["clear"] = (pattern, options) =>
    this.isBroken ? broken() : super.clear(pattern, options);

  async *keys(pattern = "*"): AsyncIterable<string> {
    if (this.isBroken) await broken();
    yield* [...this.frames.keys()].filter(compileGlob(pattern));
  }
}

function broken(): Promise<never> {
  return Promise.reject(new Error("broken"));
}

/** Begins to write a stream under "key". */
async function beginStream(cache: CacheManager, value: Uint8Array) {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const storing = cache.setStream("key", readable);
  await writer.write(value.slice());
  const end = async (): Promise<boolean> => {
    await writer.close();
    return await storing;
  };
  return { end };
}

/** Whether "key" is there; what differs would take for ever to print. */
async function holds(cache: CacheManager, value: Uint8Array): Promise<boolean> {
  const held = await cache.get<Uint8Array>("key");
  if (held !== undefined) assert.ok(Buffer.from(held).equals(value), "it is another value");
  return held !== undefined;
}

class Cluster {
  readonly clock = new FakeClock();
  readonly store = new SharedStore();
  readonly channel = new FakeChannel();

  async open({ disk, coordination }: {
    readonly disk?: SteppedBackend | undefined;
    readonly coordination?: CoordinationConfig | undefined;
  } = {}) {
    const { clock } = this;
    const memory = new SyncBackend(clock, "memory");
    const bus = new FakeBus(this.channel);
    const shared = Object.assign(new SharedBackend(this.store, clock), {
      createInvalidationBus: () => bus,
    });
    const cache = await CacheManager.open({
      backends: [memory, ...(disk === undefined ? [] : [disk]), shared],
      clock,
      random: () => 0.5,
      coordination,
    });
    return { cache, memory, bus, shared };
  }
}

async function openTwo(coordination?: CoordinationConfig) {
  const cluster = new Cluster();
  const [a, b] = [await cluster.open({ coordination }), await cluster.open({ coordination })];
  return { ...cluster, clock: cluster.clock, cluster, a, b };
}

describe("CacheManager with a bus", () => {
  it("set(), delete(), clear() and deleteByTag() of one process reach the memory of another", async () => {
    const { a, b, clock } = await openTwo();
    await a.cache.setMany(
      ["set", "deleted", "c1", "many", "kept"].map((key) => ({ key, value: 1 })),
    );
    await a.cache.set("tagged", 1, { tags: ["t"] });
    const keys = ["set", "deleted", "c1", "many", "kept", "tagged"];
    assert.deepEqual(await b.cache.getMany(keys), keys.map(() => 1));
    await b.cache.flush();
    assert.equal(b.memory.entries.size, 6);
    await clock.advanceAsync(1);

    await a.cache.set("set", 2);
    await a.cache.delete("deleted");
    await a.cache.deleteMany(["many"]);
    await a.cache.deleteByTag("t");
    await settle();
    assert.deepEqual([...b.memory.entries.keys()], ["c1", "kept", "tagged"]);
    const reads = b.shared.frames.size;
    assert.deepEqual(await b.cache.getMany(keys), [2, undefined, 1, undefined, 1, undefined]);
    assert.equal(b.shared.frames.size, reads);
    await a.cache.clear("c*");
    await settle();
    assert.equal(await b.cache.get("c1"), undefined);
    assert.equal(b.memory.entries.has("kept"), true);
  });

  it("tells keys, tags and patterns with versions, many together, and no value", async () => {
    const { a } = await openTwo();
    const sets = Array.from({ length: 50 }, (_, at) => a.cache.set(`key ${at}`, "secret"));
    await Promise.all(sets);
    await a.cache.flush();
    assert.ok(a.bus.published.length < 10, `${a.bus.published.length} messages for 50 keys`);
    assert.equal(a.bus.published.flat().length, 50);
    assert.ok(!JSON.stringify(a.bus.published).includes("secret"));
    const { told, untold, isConnected } = (await a.cache.getStats()).coordination!;
    assert.deepEqual([told, untold, isConnected], [50, 0, true]);
  });

  it("keeps what it holds when that is newer than what it is told of", async () => {
    const { a, b } = await openTwo();
    await a.cache.set("key", 1);
    await b.cache.get("key");
    await b.cache.flush();
    const held = b.memory.entries.get("key")!;
    b.bus.hear([{ kind: "key", key: "key", version: held.version - 1 }]);
    assert.equal(b.cache.peek("key"), 1);
    b.bus.hear([{ kind: "key", key: "key", version: held.version }]);
    assert.equal(b.cache.peek("key"), undefined, "an equal version may be another's");
    assert.equal(await b.cache.get("key"), 1);
    b.bus.hear([{ kind: "key", key: "key", version: undefined }]);
    assert.equal(b.cache.peek("key"), undefined);
  });

  it("drops what it hears of from a disk of its own, and reads nothing of it meanwhile", async () => {
    const cluster = new Cluster();
    const disk = new SteppedBackend("disk", { clock: cluster.clock });
    disk.isFlowing = true;
    const a = await cluster.open();
    const b = await cluster.open({ disk });
    await a.cache.setMany([{ key: "key", value: 1 }, { key: "other", value: 1 }]);
    assert.deepEqual(await b.cache.getMany(["key", "other"]), [1, 1]);
    await b.cache.flush();
    assert.equal(disk.frames.size, 2);
    await cluster.clock.advanceAsync(1);
    disk.isFlowing = false;
    await a.cache.set("key", 2);
    await settle();
    assert.equal(b.cache.peek("key"), undefined);
    assert.equal(await b.cache.get("key"), 2, "the disk has not dropped it yet");
    disk.flow();
    await b.cache.flush();
    assert.equal(await disk.read("other")!.value(), 1);
    assert.notEqual(await disk.read("key")?.value(), 1);
  });

  it("does not store a load or promotion that began before what it hears", async () => {
    const { a, b } = await openTwo();
    const loader = new HeldLoader();
    const loaded = b.cache.getOrSet("key", loader.load);
    await settle();
    await a.cache.delete("key");
    await settle();
    const later = b.cache.getOrSet("key", loader.load);
    loader.calls[0]!.answer("old");
    assert.equal(await loaded, "old");
    await settle();
    loader.calls[1]!.answer("new");
    assert.equal(await later, "new", "whoever comes after it gets none of it");

    await a.cache.set("promoted", 1);
    b.shared.isFlowing = false;
    const held = Promise.withResolvers<void>();
    const { get } = b.shared;
    b.shared.get = async (key, options) => {
      const entry = await get(key, options);
      await held.promise;
      return entry;
    };
    const read = b.cache.get("promoted");
    await settle();
    b.bus.hear([{ kind: "key", key: "promoted", version: Number.MAX_SAFE_INTEGER }]);
    held.resolve();
    assert.equal(await read, 1);
    await settle();
    assert.equal(b.memory.entries.has("promoted"), false);
  });

  it("drops all it holds when messages may have been missed, spread in time, or keeps it where it is told to", async () => {
    for (const whenMissed of ["drop", "keep"] as const) {
      const { a, b, clock } = await openTwo({ whenMissed });
      const events = [watchEvents(b.cache, "busDown"), watchEvents(b.cache, "busUp")];
      await a.cache.set("key", 1);
      await b.cache.get("key");
      await b.cache.flush();
      b.bus.cut();
      await a.cache.set("key", 2);
      await settle();
      assert.equal(await b.cache.get("key"), 1, "nobody could tell it");
      b.bus.mend();
      await clock.advanceAsync(PERIOD_MS / 4);
      assert.equal(await b.cache.get("key"), whenMissed === "drop" ? 2 : 1);
      assert.deepEqual(events.map(({ length }) => length), [1, 1]);
    }
  });

  it("stores a stream that was under way when messages may have been missed", async () => {
    const { a, b, clock } = await openTwo();
    await a.cache.set("key", "old");
    for (const size of [10, 600_000]) {
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const writer = writable.getWriter();
      const storing = a.cache.setStream("key", readable);
      await writer.write(new Uint8Array(size));
      a.bus.cut();
      a.bus.mend();
      await clock.advanceAsync(PERIOD_MS / 4);
      await writer.close();
      assert.equal(await storing, true);
      for (const { cache } of [a, b]) {
        assert.deepEqual(await cache.get("key"), new Uint8Array(size));
      }
    }
  });

  for (const size of [10, 600_000]) {
    const value = new Uint8Array(size).fill(7);

    it(`stores a stream that is newer than a clear heard meanwhile, and none that is older (${size} bytes)`, async () => {
      const { a, b, clock } = await openTwo();
      const begin = () => beginStream(b.cache, value);
      const everywhere = () => Promise.all([a, b].map(({ cache }) => holds(cache, value)));

      await a.cache.clear();
      const [clear] = a.bus.published.flat().filter(({ kind }) => kind === "clear");
      await clock.advanceAsync(600);
      const newer = await begin();
      b.bus.hear([clear!]);
      assert.equal(await newer.end(), true);
      assert.deepEqual(await everywhere(), [true, true], "what began later stays");

      const older = await begin();
      await a.cache.clear();
      await settle();
      assert.equal(await older.end(), true, "nothing should hold it");
      assert.deepEqual(await everywhere(), [false, false]);

      const unknown = await begin();
      b.bus.hear([{ kind: "clear", pattern: "k*", version: undefined }]);
      assert.equal(await unknown.end(), true);
      assert.deepEqual(await everywhere(), [false, false], "it may be older");

      const after = await begin();
      assert.equal(await after.end(), true);
      assert.deepEqual(await everywhere(), [true, true]);
    });

    it(`stores a stream that began after a clear that is made up for meanwhile (${size} bytes)`, async () => {
      const { a, b, clock } = await openTwo();
      await a.cache.set("old", 1);
      a.shared.isBroken = true;
      await a.cache.clear();
      a.shared.isBroken = false;
      const stream = await beginStream(a.cache, value);
      await clock.advanceAsync(PERIOD_MS);
      assert.equal(await b.cache.get("old"), undefined, "it was cleared");
      assert.equal(await stream.end(), true);
      assert.equal(await holds(b.cache, value), true);
      assert.equal(await holds(a.cache, value), true);
    });
  }

  it("tells others what it could not tell when it can again", async () => {
    const { a, b, clock } = await openTwo();
    await a.cache.set("key", 1);
    await b.cache.get("key");
    await b.cache.flush();
    const errors = watchEvents(a.cache, "busError");
    a.bus.cut();
    await clock.advanceAsync(1);
    await a.cache.set("key", 2);
    await settle();
    assert.equal((await a.cache.getStats()).coordination!.untold, 1);
    assert.equal(errors.length, 1);
    a.bus.mend();
    await settle();
    assert.equal(await b.cache.get("key"), 2);
  });

  it("a process that was cut off does not bring back what others have cleared meanwhile", async () => {
    for (const pattern of ["k*", undefined]) {
      const { a, b, clock } = await openTwo();
      a.shared.isBroken = true;
      a.bus.cut();
      await a.cache.set("key", "from before");
      await clock.advanceAsync(1000);
      await b.cache.clear(pattern);
      await b.cache.set("kept", 1);
      a.shared.isBroken = false;
      await clock.advanceAsync(2 * PERIOD_MS);
      assert.equal(b.shared.frames.has("key"), false);
      assert.equal(await a.cache.get("key"), undefined);
      assert.equal(await b.cache.get("key"), undefined);
      assert.equal(await a.cache.get("kept"), 1);
    }
  });

  it("a clear of a process that is cut off reaches the others when it is back", async () => {
    const { a, b, clock } = await openTwo();
    await b.cache.set("key", 1);
    a.shared.isBroken = true;
    a.bus.cut();
    await clock.advanceAsync(1000);
    await a.cache.clear();
    assert.equal(await b.cache.get("key"), 1, "it has not been told");
    a.shared.isBroken = false;
    a.bus.mend();
    await clock.advanceAsync(2 * PERIOD_MS);
    assert.equal(b.shared.frames.has("key"), false);
    assert.equal(await b.cache.get("key"), undefined);
  });

  it("what has waited for longer than deletes are remembered is not brought, only that it was set", async () => {
    const { a, b, clock } = await openTwo();
    await a.cache.set("key", 1);
    assert.equal(await b.cache.get("key"), 1);
    await b.cache.flush();
    a.shared.isBroken = true;
    await clock.advanceAsync(1000);
    await a.cache.set("key", 2);
    await clock.advanceAsync(300_000);
    a.shared.isBroken = false;
    await clock.advanceAsync(2 * PERIOD_MS);
    assert.equal(await b.cache.get("key"), undefined);
    assert.equal(await a.cache.get("key"), undefined);
  });

  it("close() does not wait for ever for a bus that hangs", async () => {
    const { a, clock } = await openTwo();
    const errors = watchEvents(a.cache, "busError");
    a.bus.close = () => new Promise(() => {});
    const closing = a.cache.close();
    await clock.advanceAsync(5000);
    await closing;
    assert.equal(errors.length, 1);
  });

  it("close() ends the bus that it made, and not one that it was given", async () => {
    const { a } = await openTwo();
    await a.cache.close();
    assert.equal(a.bus.isClosed, true);
    const given = new FakeBus(new FakeChannel());
    const memory = new SyncBackend(new FakeClock(), "memory");
    const cache = await CacheManager.open({ backends: [memory], coordination: { bus: given } });
    await cache.close();
    assert.equal(given.isClosed, false);
  });
});

describe("CacheManager over a shared tier that fails", () => {
  it("brings it what was written, and tells others only then", async () => {
    const { a, b, clock } = await openTwo();
    await a.cache.setMany(["set", "deleted", "c1"].map((key) => ({ key, value: 1 })));
    await a.cache.set("tagged", 1, { tags: ["t"] });
    const keys = ["set", "deleted", "c1", "tagged"];
    await b.cache.getMany(keys);
    await b.cache.flush();
    const replayed = watchEvents(a.cache, "recoveryReplayed");
    await clock.advanceAsync(1);
    a.shared.isBroken = true;
    assert.equal(await a.cache.set("set", 2), false);
    await a.cache.delete("deleted");
    await a.cache.clear("c*");
    await a.cache.deleteByTag("t");
    await settle();
    assert.equal((await a.cache.getStats()).coordination!.queued, 4);
    assert.deepEqual(await b.cache.getMany(keys), [1, 1, 1, 1], "it has not been told");
    await clock.advanceAsync(PERIOD_MS);
    a.shared.isBroken = false;
    await clock.advanceAsync(2 * PERIOD_MS);
    assert.deepEqual(await b.cache.getMany(keys), [2, undefined, undefined, undefined]);
    assert.equal((await a.cache.getStats()).coordination!.queued, 0);
    assert.equal(replayed.length, 4);
    a.memory.entries.clear();
    assert.equal(await a.cache.get("set"), 2, "what was repaired is trusted");
  });

  it("does not undo what others have written later", async () => {
    const { a, b, clock } = await openTwo();
    a.shared.isBroken = true;
    await a.cache.set("key", "older");
    await a.cache.delete("other");
    await clock.advanceAsync(600);
    a.bus.cut();
    await b.cache.set("key", "newer");
    await b.cache.set("other", "newer");
    a.shared.isBroken = false;
    await clock.advanceAsync(2 * PERIOD_MS);
    assert.equal(await a.cache.get("key"), "newer", "its own copy is outdated");
    assert.equal(await a.cache.get("other"), "newer");
    assert.equal(await b.shared.read("key")?.value(), "newer");
  });

  it("forgets what it kept when others have written later, and trusts the tier again", async () => {
    const { a, b, clock } = await openTwo();
    a.shared.isBroken = true;
    await a.cache.set("key", "older");
    await clock.advanceAsync(10);
    await b.cache.set("key", "newer");
    await settle();
    assert.equal((await a.cache.getStats()).coordination!.queued, 0);
    a.shared.isBroken = false;
    const { sets } = a.shared;
    assert.equal(await a.cache.get("key"), "newer");
    await clock.advanceAsync(2 * PERIOD_MS);
    assert.equal(a.shared.sets, sets);
  });

  it("stops a pass at the first failure, and goes on with the next", async () => {
    const { a, clock } = await openTwo();
    a.shared.isBroken = true;
    for (let at = 0; at < 200; at++) await a.cache.set(`key ${at}`, at);
    const { sets } = a.shared;
    await clock.advanceAsync(PERIOD_MS);
    assert.ok(a.shared.sets - sets <= 64, `${a.shared.sets - sets} tries in one pass`);
    a.shared.isBroken = false;
    await clock.advanceAsync(2 * PERIOD_MS);
    assert.equal(a.shared.frames.size, 200);
  });

  it("close() brings what can be brought, and tells of what cannot", async () => {
    const { a } = await openTwo();
    a.shared.isBroken = true;
    await a.cache.set("key", 1);
    a.shared.isBroken = false;
    await a.cache.close();
    assert.equal(a.shared.frames.has("key"), true);

    const { a: lost } = await openTwo();
    const dropped = watchEvents(lost.cache, "recoveryDropped");
    lost.shared.isBroken = true;
    await lost.cache.set("key", 1);
    await lost.cache.close();
    assert.deepEqual(dropped, [{ kind: "set", key: "key", reason: "closed" }]);
  });
});
