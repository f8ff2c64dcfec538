import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import type { Codec } from "../../src/types.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { openBoth, openFlowing, openOver } from "../fakes/open_caches.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";

const AWKWARD_KEYS = [
  ...["", "a", "A", "a:b", "a/b", "a/b/c", "../x", "..", ".", "a ", "a.", " a", "\0", "a\0b"],
  ...["\ud800", "\udfff", "é", "e\u0301", "😀", "__proto__", "constructor", "toString", "@", "@x"],
  ...["@:x", "@!tag:x", "@a:k", "%", "%2F", "!", "*", "?", "[a]", "\\", "u/1", "u:1", "C:\\x"],
  "x".repeat(4096),
];

describe("CacheManager keys and values", () => {
  it("get() gives what was set, from memory and from the tier of bytes, for any key", async () => {
    const { cache, memory, slow } = await openBoth();
    for (const [at, key] of AWKWARD_KEYS.entries()) await cache.set(key, at);
    assert.equal(memory.entries.size, AWKWARD_KEYS.length);
    assert.equal(slow.frames.size, AWKWARD_KEYS.length);
    for (const [at, key] of AWKWARD_KEYS.entries()) {
      assert.equal(await cache.get(key), at, JSON.stringify(key.slice(0, 20)));
      assert.equal(cache.peek(key), at);
    }
    memory.entries.clear();
    assert.deepEqual(await cache.getMany(AWKWARD_KEYS), AWKWARD_KEYS.map((_, at) => at));
    assert.equal(await cache.deleteMany(AWKWARD_KEYS), AWKWARD_KEYS.length);
    assert.equal(slow.frames.size, 0);
  });

  it("a stored null is null, a miss is undefined", async () => {
    const { cache, memory } = await openBoth();
    await cache.set("null", null);
    assert.equal(await cache.get("null"), null);
    assert.equal(cache.peek("null"), null);
    memory.entries.clear();
    assert.equal(await cache.get("null"), null);
    assert.equal(await cache.exists("null"), true);
    assert.equal(await cache.get("none"), undefined);
    assert.equal(cache.peek("none"), undefined);
    assert.equal(await cache.exists("none"), false);
    assert.deepEqual(await cache.getMany(["none", "null"]), [undefined, null]);
    assert.equal(await cache.getOrSet("null", () => "loaded"), null);
  });

  it("falsy values are hits", async () => {
    const { cache, memory } = await openBoth();
    for (const value of [0, "", false, NaN, 0n]) {
      await cache.set("key", value);
      assert.deepEqual(await cache.get("key"), value);
      memory.entries.clear();
      assert.deepEqual(await cache.get("key"), value);
    }
  });

  it("every method refuses a key that is not a string", async () => {
    const { cache } = await openBoth();
    for (
      const [key, shown] of [
        [1, "1"],
        [undefined, "undefined"],
        [null, "null"],
        [{}, "an object"],
        [
          Symbol("s"),
          "a symbol",
        ],
      ] as [string, string][]
    ) {
      const message = (action: string) => ({
        name: "TypeError",
        message: `Cannot ${action}: key must be a string: current value is ${shown}`,
      });
      await assert.rejects(cache.get(key), message("get"));
      await assert.rejects(cache.set(key, 1), message("set"));
      await assert.rejects(cache.delete(key), message("delete"));
      await assert.rejects(cache.exists(key), message("look up"));
      await assert.rejects(cache.getMany(["a", key]), message("get"));
      await assert.rejects(cache.setMany([{ key, value: 1 }]), message("set"));
      await assert.rejects(cache.deleteMany([key]), message("delete"));
      await assert.rejects(cache.getOrSet(key, () => 1), message("load"));
      await assert.rejects(cache.getOrSetMany([key], () => [1]), message("load"));
      assert.throws(() => cache.peek(key), message("peek"));
      assert.throws(() => cache.namespace("n").peek(key), message("peek"));
    }
    await assert.rejects(cache.getMany(new Array<string>(2)), { name: "TypeError" });
  });

  it("every method refuses arguments of a wrong kind", async () => {
    const { cache } = await openBoth();
    const bad = (value: unknown) => value as never;
    const refusals: [Promise<unknown>, string][] = [
      [cache.getMany(bad("abc")), 'Cannot get: keys must be an array: current value is "abc"'],
      [cache.setMany(bad({})), "Cannot set: entries must be an array: current value is an object"],
      [
        cache.setMany([bad(null)]),
        "Cannot set: entries must be objects with key and value: current value is null",
      ],
      [cache.clear(bad(1)), "Cannot clear: pattern must be a string: current value is 1"],
      [
        cache.set("k", 1, { tags: bad("t") }),
        'Cannot set: tags must be strings: current value is "t"',
      ],
      [
        cache.set("k", 1, { tags: [bad(1)] }),
        "Cannot set: tags must be strings: current value is an array",
      ],
      [
        cache.deleteByTag(bad(1)),
        "Cannot delete by tag: tags must be strings: current value is an array",
      ],
      [
        cache.getOrSet("k", bad(1)),
        "Cannot load: loader must be a function: current value is 1",
      ],
      [
        cache.getOrSetMany(["k"], bad(undefined)),
        "Cannot load: loader must be a function: current value is undefined",
      ],
    ];
    for (const [refusal, message] of refusals) {
      await assert.rejects(refusal, { name: "TypeError", message });
    }
    assert.throws(() => cache.namespace(""), {
      name: "TypeError",
      message: 'Cannot open namespace: name must be a non-empty string: current value is ""',
    });
    assert.throws(() => cache.namespace(bad(1)), { name: "TypeError" });
    assert.throws(() => cache.on("hit", bad("listener")), {
      name: "TypeError",
      message: 'Cannot listen to "hit": listener must be a function: current value is "listener"',
    });
  });

  it("set() refuses what cannot be carried, and leaves every tier as it was", async () => {
    const { cache, memory, slow } = await openBoth();
    await cache.set("key", "before");
    const cyclic: Record<string, unknown> = {};
    cyclic["self"] = { cyclic, f: () => {} };
    for (const value of [undefined, () => {}, Symbol("s"), Promise.resolve(1), { f() {} }]) {
      await assert.rejects(cache.set("key", value), TypeError);
      await assert.rejects(
        cache.setMany([{ key: "other", value: 1 }, { key: "key", value }]),
        TypeError,
      );
    }
    for (const value of [() => {}, Symbol("s"), { f() {} }, cyclic]) {
      await assert.rejects(cache.getOrSet("loaded", () => value), TypeError);
    }
    await assert.rejects(cache.set("key", cyclic), TypeError);
    assert.equal(await cache.get("key"), "before");
    memory.entries.delete("key");
    assert.equal(await cache.get("key"), "before");
    assert.deepEqual([...slow.frames.keys()], ["key"]);
  });

  it("a refused set() does not harm a set that is under way", async () => {
    const { cache, slow, memory } = await openBoth();
    slow.isFlowing = false;
    const under = cache.set("key", "good");
    await assert.rejects(cache.set("key", () => {}), TypeError);
    await assert.rejects(cache.set("key", { f() {} }), TypeError);
    slow.flow();
    assert.equal(await under, true);
    assert.equal(await cache.get("key"), "good");
    memory.entries.clear();
    assert.equal(await cache.get("key"), "good");
  });

  it("binary values are copied by a write, and come back as views of their type", async () => {
    const { cache, memory } = await openBoth();
    const vector = new Float32Array([1, 2, 3]);
    const bytes = new Uint8Array([1, 2, 3]);
    const buffer = new Uint8Array([7]).buffer;
    await Promise.all([
      cache.set("vector", vector),
      cache.setMany([{ key: "bytes", value: bytes }, { key: "buffer", value: buffer }]),
    ]);
    const loaded = cache.getOrSet("loaded", () => vector);
    await loaded;
    vector.fill(9);
    bytes.fill(9);
    new Uint8Array(buffer).fill(9);
    for (const empty of [false, true]) {
      if (empty) memory.entries.clear();
      assert.deepEqual(await cache.get("vector"), new Float32Array([1, 2, 3]));
      assert.deepEqual(await cache.get("bytes"), new Uint8Array([1, 2, 3]));
      assert.deepEqual(new Uint8Array((await cache.get<ArrayBuffer>("buffer"))!), Uint8Array.of(7));
      assert.deepEqual(await cache.get("loaded"), new Float32Array([1, 2, 3]));
    }
    assert.deepEqual(await loaded, new Float32Array([1, 2, 3]));
  });

  it("a value decoded from a frame is a view of it, not a copy", async () => {
    const slow = openFlowing();
    await using cache = await openOver(slow);
    await cache.set("vector", new Float32Array(1000).fill(0.5));
    const vector = await cache.get<Float32Array>("vector");
    assert.equal(vector!.buffer, slow.frames.get("vector")!.buffer);
  });

  it("set() takes the value as it is at the call, also where its codec is slow", async () => {
    const gate = Promise.withResolvers<void>();
    const codec: Codec = {
      name: "slow",
      id: 243,
      encode: async (bytes) => {
        await gate.promise;
        return bytes;
      },
      decode: (bytes) => bytes,
    };
    const slow = openFlowing();
    await using cache = await CacheManager.open({
      backends: [slow],
      compression: codec,
      compressionMinBytes: 1,
    });
    const value = { text: "before ".repeat(20) };
    const written = cache.set("key", value);
    value.text = "after";
    gate.resolve();
    assert.equal(await written, true);
    assert.deepEqual(await cache.get("key"), { text: "before ".repeat(20) });
  });

  it("a set() in memory alone is done at once", async () => {
    await using cache = await openOver(new SyncBackend(new FakeClock()));
    const written = cache.set("key", 1);
    assert.equal(cache.peek("key"), 1);
    assert.equal(await written, true);
  });
});
