import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { EventHub } from "../../src/observability/events.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { MapBackend } from "../fakes/map_backend.ts";
import { settle } from "../fakes/settle.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";
import { watchEvents } from "../fakes/watch_events.ts";

describe("EventHub", () => {
  it("tells every listener of an event, in the order in which they came", () => {
    const hub = new EventHub();
    const told: string[] = [];
    hub.on("miss", ({ key }) => told.push(`first ${key}`));
    hub.on("miss", ({ key }) => told.push(`second ${key}`));
    hub.on("hit", () => told.push("hit"));
    hub.emit("miss", { key: "a" });
    assert.deepEqual(told, ["first a", "second a"]);
  });

  it("tells nobody who has left, nor one who leaves meanwhile twice", () => {
    const hub = new EventHub();
    const told: string[] = [];
    const leaveFirst = hub.on("miss", () => {
      told.push("first");
      leaveFirst();
    });
    hub.on("miss", () => told.push("second"));
    hub.emit("miss", { key: "a" });
    hub.emit("miss", { key: "b" });
    assert.deepEqual(told, ["first", "second", "second"]);
  });

  it("a listener that leaves twice takes nobody else along", () => {
    const hub = new EventHub();
    const leave = hub.on("miss", () => {});
    leave();
    let told = 0;
    hub.on("miss", () => told++);
    leave();
    assert.equal(hub.has("miss"), true);
    hub.emit("miss", { key: "a" });
    assert.equal(told, 1);
  });

  it("on() refuses an event that there is not, and names the nearest", () => {
    const hub = new EventHub();
    assert.throws(() => hub.on("hitt" as "hit", () => {}), {
      name: "TypeError",
      message: 'Cannot listen to "hitt": there is no such event: did you mean "hit"?',
    });
    for (const name of ["toString", "__proto__", "", undefined, Symbol("hit")]) {
      assert.throws(() => hub.on(name as "hit", () => {}), TypeError);
    }
  });

  it("has() is true as long as somebody listens", () => {
    const hub = new EventHub();
    assert.equal(hub.has("miss"), false);
    const leave = [hub.on("miss", () => {}), hub.on("miss", () => {})];
    assert.equal(hub.has("miss"), true);
    leave[0]!();
    assert.equal(hub.has("miss"), true);
    leave[1]!();
    assert.equal(hub.has("miss"), false);
    hub.on("hit", () => {});
    hub.clear();
    assert.equal(hub.has("hit"), false);
  });

  it("a listener that throws or rejects harms nobody, and is told of", async () => {
    const hub = new EventHub();
    const failures: unknown[] = [];
    hub.on("listenerError", (details) => {
      failures.push(details);
      throw new Error("this one too");
    });
    const [thrown, rejected] = [new Error("thrown"), new Error("rejected")];
    let told = 0;
    hub.on("miss", () => {
      throw thrown;
    });
    hub.on("miss", async () => await Promise.reject(rejected));
    hub.on("miss", () => told++);
    hub.emit("miss", { key: "a" });
    await settle();
    assert.equal(told, 1);
    assert.deepEqual(failures, [
      { event: "miss", error: thrown },
      { event: "miss", error: rejected },
    ]);
  });

  it("passes on what a backend reports", () => {
    const hub = new EventHub();
    const told: unknown[] = [];
    hub.on("corrupt", (details) => told.push(["corrupt", details]));
    hub.on("tierError", (details) => told.push(["tierError", details]));
    hub.on("evict", (details) => told.push(["evict", details]));
    hub.report("disk", { kind: "corrupt", key: "a", error: 1 });
    hub.report("disk", { kind: "error", error: 2 });
    hub.report("disk", { kind: "evict", count: 3 });
    hub.report("disk", { kind: "evict" });
    assert.deepEqual(told, [
      ["corrupt", { tier: "disk", key: "a", error: 1 }],
      ["tierError", { tier: "disk", operation: "background", key: undefined, error: 2 }],
      ["evict", { tier: "disk", count: 3 }],
      ["evict", { tier: "disk", count: 1 }],
    ]);
  });
});

describe("CacheManager.on()", () => {
  it("tells of hits, misses, writes, deletes, clears, promotions and loads", async () => {
    const clock = new FakeClock();
    const memory = new SyncBackend(clock, "memory");
    await using cache = await CacheManager.open({
      backends: [memory, new MapBackend(clock, "disk")],
      clock,
    });
    const told: unknown[] = [];
    const events = [
      ...["hit", "miss", "write", "delete", "clear", "promotion", "load", "loadError"] as const,
    ];
    for (const event of events) cache.on(event, (details) => told.push([event, details]));
    const take = async () => {
      await cache.flush();
      return told.splice(0);
    };
    const stored = ["memory", "disk"].map((tier) => ({ tier, outcome: "stored" }));

    await cache.set("a", 1);
    assert.deepEqual(await take(), [["write", { key: "a", outcomes: stored }]]);
    await cache.get("a");
    await cache.get("a", {});
    assert.deepEqual(await take(), [
      ["hit", { key: "a", tier: "memory" }],
      ["hit", { key: "a", tier: "memory" }],
    ]);
    memory.entries.clear();
    await cache.get("a");
    assert.deepEqual(await take(), [
      ["hit", { key: "a", tier: "disk" }],
      ["promotion", { key: "a", from: "disk", to: "memory" }],
    ]);
    await cache.getMany(["a", "none"]);
    assert.deepEqual(await take(), [
      ["hit", { key: "a", tier: "memory" }],
      ["miss", { key: "none" }],
    ]);
    await cache.namespace("n").getOrSet("b", () => 2);
    assert.deepEqual(await take(), [
      ["miss", { key: "@n:b" }],
      ["load", { key: "@n:b" }],
      ["write", { key: "@n:b", outcomes: stored }],
    ]);
    const broken = new Error("broken");
    await assert.rejects(cache.getOrSet("c", () => Promise.reject(broken)));
    assert.deepEqual(await take(), [
      ["miss", { key: "c" }],
      ["loadError", { key: "c", error: broken }],
    ]);
    await cache.delete("a");
    await cache.deleteMany(["a", "b"]);
    await cache.clear("x*");
    await cache.clear();
    assert.deepEqual(await take(), [
      ["delete", { key: "a" }],
      ["delete", { key: "a" }],
      ["delete", { key: "b" }],
      ["clear", { pattern: "x*", removed: 0 }],
      ["clear", { pattern: undefined, removed: 1 }],
    ]);
  });

  it("a listener that throws changes nothing about the call", async () => {
    const clock = new FakeClock();
    await using cache = await CacheManager.open({ backends: [new SyncBackend(clock)], clock });
    const failures = watchEvents(cache, "listenerError");
    for (const event of ["hit", "miss", "write", "delete", "clear", "load"] as const) {
      cache.on(event, () => {
        throw new Error(event);
      });
    }
    assert.equal(await cache.set("a", 1), true);
    assert.equal(await cache.get("a"), 1);
    assert.equal(await cache.get("b"), undefined);
    assert.equal(await cache.getOrSet("c", () => 3), 3);
    assert.equal(await cache.delete("a"), true);
    assert.equal(await cache.clear(), 1);
    assert.deepEqual(
      failures.map(({ event }) => event),
      ["write", "hit", "miss", "miss", "load", "write", "delete", "clear"],
    );
  });

  it("makes no details for a memory hit where nobody listens", async () => {
    const clock = new FakeClock();
    await using cache = await CacheManager.open({ backends: [new SyncBackend(clock)], clock });
    await cache.set("key", 1);
    const original = EventHub.prototype.emit;
    const emitted: string[] = [];
    EventHub.prototype.emit = function (event: string) {
      emitted.push(event);
    };
    try {
      cache.on("miss", () => {});
      assert.equal(await cache.get("key"), 1);
      assert.equal(await cache.getOrSet("key", () => 2), 1);
      assert.equal(cache.peek("key"), 1);
      assert.deepEqual(emitted, []);
    } finally {
      EventHub.prototype.emit = original;
    }
  });

  it("tells nobody any more once the listener has left, or the cache is closed", async () => {
    const clock = new FakeClock();
    const cache = await CacheManager.open({ backends: [new SyncBackend(clock)], clock });
    const told: string[] = [];
    const leave = cache.on("miss", ({ key }) => told.push(key));
    await cache.get("a");
    leave();
    await cache.get("b");
    assert.deepEqual(told, ["a"]);
  });
});
