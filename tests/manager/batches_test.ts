import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { openBoth, openOver } from "../fakes/open_caches.ts";
import { settle } from "../fakes/settle.ts";
import { SteppedBackend } from "../fakes/stepped_backend.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";

describe("CacheManager batches", () => {
  it("keep order, take duplicates, and take nothing", async () => {
    const { cache } = await openBoth();
    assert.deepEqual(await cache.getMany([]), []);
    assert.equal(await cache.setMany([]), true);
    assert.equal(await cache.deleteMany([]), 0);
    const entries = [
      { key: "a", value: 1 },
      { key: "b", value: 2 },
      { key: "a", value: 3 },
    ];
    assert.equal(await cache.setMany(entries), true);
    assert.deepEqual(await cache.getMany(["b", "a", "c", "a"]), [2, 3, undefined, 3]);
    assert.equal(await cache.deleteMany(["a", "a", "c"]), 1);
    assert.deepEqual(await cache.getMany(["a", "b"]), [undefined, 2]);
  });

  it("ask each tier once, and a slower one only for what is missing", async () => {
    const clock = new FakeClock();
    const memory = new SyncBackend(clock);
    const first = new SteppedBackend("first", { hasBatches: true });
    const second = new SteppedBackend("second", { hasBatches: true });
    for (const tier of [first, second]) tier.isFlowing = true;
    await using cache = await CacheManager.open({ backends: [memory, first, second], clock });
    await cache.setMany(["a", "b", "c", "d"].map((key) => ({ key, value: key })));
    memory.entries.delete("b");
    for (const key of ["c", "d"]) {
      memory.entries.delete(key);
      first.frames.delete(key);
    }
    for (const tier of [first, second]) tier.isFlowing = false;
    const read = cache.getMany(["a", "b", "c", "d", "e", "b"]);
    await settle();
    assert.deepEqual(first.steps.map(({ operation, keys }) => [operation, ...keys]), [
      ["getMany", "b", "c", "d", "e"],
    ]);
    first.step("getMany").finish();
    await settle();
    assert.deepEqual(second.steps.map(({ operation, keys }) => [operation, ...keys]), [
      ["getMany", "c", "d", "e"],
    ]);
    second.step("getMany").finish();
    assert.deepEqual(await read, ["a", "b", "c", "d", undefined, "b"]);
    first.flow();
    second.flow();
    await cache.flush();
    assert.deepEqual([...first.frames.keys()].sort(), ["a", "b", "c", "d"]);
    assert.deepEqual([...memory.entries.keys()].sort(), ["a", "b", "c", "d"]);
  });

  it("setMany() and deleteMany() make one request where the backend can", async () => {
    const slow = new SteppedBackend("slow", { hasBatches: true });
    await using cache = await openOver(slow);
    const keys = Array.from({ length: 200 }, (_, at) => `key ${at}`);
    const written = cache.setMany(keys.map((key) => ({ key, value: 1 })));
    await settle();
    assert.deepEqual(slow.steps.map(({ operation }) => operation), ["setMany"]);
    slow.step("setMany").finish();
    assert.equal(await written, true);
    const removed = cache.deleteMany(keys);
    assert.deepEqual(slow.steps.map(({ operation }) => operation), ["deleteMany"]);
    slow.flow();
    assert.equal(await removed, 200);
  });

  it("a backend without batches gets at most 64 requests at once", async () => {
    const slow = new SteppedBackend();
    await using cache = await openOver(slow);
    const keys = Array.from({ length: 200 }, (_, at) => `key ${at}`);
    for (
      const [operation, call] of [
        ["set", () => cache.setMany(keys.map((key) => ({ key, value: key })))],
        ["get", () => cache.getMany(keys)],
        ["delete", () => cache.deleteMany(keys)],
      ] as const
    ) {
      const done = call();
      let most = 0;
      for (let turn = 0; turn < 200; turn++) {
        await settle(30);
        most = Math.max(most, slow.steps.length);
        slow.step(operation).finish();
      }
      assert.equal(most, 64);
      const answer = await done;
      if (operation === "get") assert.deepEqual(answer, keys);
      else assert.ok(answer === true || answer === 200);
    }
  });

  it("a long setMany() is not undone, nor undoes, what comes after it", async () => {
    const slow = new SteppedBackend();
    await using cache = await openOver(slow);
    const keys = Array.from({ length: 200 }, (_, at) => `key ${at}`);
    const batch = cache.setMany(keys.map((key) => ({ key, value: "batch" })));
    await settle();
    const later = [cache.delete("key 150"), cache.set("key 151", "later"), cache.clear("key 16?")];
    await settle();
    slow.flow();
    await Promise.all([batch, ...later]);
    assert.equal(await cache.get("key 150"), undefined);
    assert.equal(await cache.get("key 151"), "later");
    assert.equal(await cache.get("key 165"), undefined);
    assert.equal(await cache.get("key 199"), "batch");
  });

  it("a long deleteMany() does not remove what is set after it", async () => {
    const slow = new SteppedBackend();
    await using cache = await openOver(slow);
    const keys = Array.from({ length: 200 }, (_, at) => `key ${at}`);
    const removed = cache.deleteMany(keys);
    const written = cache.set("key 150", "later");
    await settle();
    slow.flow();
    await Promise.all([removed, written]);
    assert.equal(await cache.get("key 150"), "later");
  });

  it("a long setMany() that is given up blocks none of its keys", async () => {
    const slow = new SteppedBackend();
    await using cache = await openOver(slow);
    const keys = Array.from({ length: 200 }, (_, at) => `key ${at}`);
    const controller = new AbortController();
    const batch = cache.setMany(keys.map((key) => ({ key, value: 1 })), controller);
    await settle();
    controller.abort(new Error("enough"));
    await assert.rejects(batch, { message: "enough" });
    slow.flow();
    for (const key of ["key 0", "key 63", "key 64", "key 199"]) {
      assert.equal(await cache.set(key, 2), true);
      assert.equal(await cache.get(key), 2);
    }
  });
});
