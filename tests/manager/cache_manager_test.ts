import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import type { CacheBackend, Codec } from "../../src/types.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { settle } from "../fakes/settle.ts";
import { SteppedBackend } from "../fakes/stepped_backend.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";
import { watchEvents } from "../fakes/watch_events.ts";

const AWKWARD_KEYS = [
  ...["", "a", "A", "a:b", "a/b", "a/b/c", "../x", "..", ".", "a ", "a.", " a", "\0", "a\0b"],
  ...["\ud800", "\udfff", "é", "e\u0301", "😀", "__proto__", "constructor", "toString", "@", "@x"],
  ...["@:x", "@!tag:x", "@a:k", "%", "%2F", "!", "*", "?", "[a]", "\\", "u/1", "u:1", "C:\\x"],
  "x".repeat(4096),
];

function openFlowing(name?: string, clock?: FakeClock): SteppedBackend {
  const backend = new SteppedBackend(name, clock && { clock });
  backend.isFlowing = true;
  return backend;
}

/** A cache over memory and one tier of bytes. */
async function openBoth(
  { clock = new FakeClock(), ...options }: { clock?: FakeClock; defaultTtl?: number | string } = {},
): Promise<{ cache: CacheManager; memory: SyncBackend; slow: SteppedBackend; clock: FakeClock }> {
  const memory = new SyncBackend(clock);
  const slow = openFlowing("slow", clock);
  const cache = await CacheManager.open({ backends: [memory, slow], clock, ...options });
  return { cache, memory, slow, clock };
}

async function openOver(...backends: CacheBackend[]): Promise<CacheManager> {
  return await CacheManager.open({ backends, clock: new FakeClock() });
}

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

describe("CacheManager tiers", () => {
  it("set() writes to all tiers, delete() removes from all", async () => {
    const { cache, memory, slow } = await openBoth();
    assert.equal(await cache.set("key", 1), true);
    assert.ok(memory.entries.has("key") && slow.frames.has("key"));
    memory.entries.clear();
    assert.equal(await cache.exists("key"), true);
    assert.equal(await cache.delete("key"), true);
    assert.equal(slow.frames.size, 0);
    assert.equal(await cache.delete("key"), false);
    assert.equal(await cache.exists("key"), false);
  });

  it("a hit is promoted into all faster tiers, with the TTL it has left", async () => {
    const clock = new FakeClock();
    const memory = new SyncBackend(clock);
    const [near, far] = [openFlowing("near"), openFlowing("far")];
    await using cache = await CacheManager.open({ backends: [memory, near, far], clock });
    const promotions = watchEvents(cache, "promotion");
    await cache.set("key", "value", { ttl: 10 });
    memory.entries.clear();
    near.frames.clear();
    await clock.advanceAsync(4000);
    assert.equal(await cache.get("key"), "value");
    await cache.flush();
    assert.deepEqual(promotions, [
      { key: "key", from: "far", to: "sync" },
      { key: "key", from: "far", to: "near" },
    ]);
    const due = clock.now() + 6000;
    assert.equal(memory.entries.get("key")!.expiresAt, due);
    assert.equal(near.read("key")!.expiresAt, due);
    await clock.advanceAsync(5999);
    assert.equal(cache.peek("key"), "value");
    await clock.advanceAsync(1);
    assert.equal(cache.peek("key"), undefined);
  });

  it("a promotion respects maxTtl and maxEntryBytes of the faster tier", async () => {
    const clock = new FakeClock();
    const memory = new SyncBackend(clock);
    const slow = openFlowing();
    await using cache = await CacheManager.open({
      clock,
      backends: [{ backend: memory, maxTtl: 5, maxEntryBytes: 1000 }, slow],
    });
    await cache.set("small", "s", { ttl: 60 });
    await cache.set("for ever", "e");
    await cache.set("large", "l".repeat(2000));
    assert.equal(memory.entries.get("small")!.expiresAt, clock.now() + 5000);
    assert.equal(memory.entries.get("for ever")!.expiresAt, clock.now() + 5000);
    assert.equal(memory.entries.has("large"), false);
    await clock.advanceAsync(7000);
    assert.equal(cache.peek("small"), undefined);
    assert.equal(await cache.get("small"), "s");
    assert.equal(await cache.get("large"), "l".repeat(2000));
    await cache.flush();
    assert.equal(memory.entries.get("small")!.expiresAt, clock.now() + 5000);
    assert.equal(slow.read("small")!.expiresAt, clock.now() + 53_000);
    assert.equal(memory.entries.has("large"), false);
    await clock.advanceAsync(50_000);
    assert.equal(await cache.get("small"), "s");
    await cache.flush();
    assert.equal(memory.entries.get("small")!.expiresAt, clock.now() + 3000, "what is left of it");
  });

  it("a tier that declines does not keep the older value", async () => {
    const clock = new FakeClock();
    const memory = new SyncBackend(clock);
    const slow = openFlowing("slow");
    await using cache = await CacheManager.open({
      clock,
      backends: [{ backend: memory, maxEntryBytes: 500 }, slow],
    });
    const writes = watchEvents(cache, "write");
    await cache.set("key", "small");
    assert.equal(await cache.set("key", "l".repeat(1000)), true);
    assert.equal(memory.entries.has("key"), false);
    assert.equal(await cache.get("key"), "l".repeat(1000));
    await cache.setMany([{ key: "key", value: "small again" }, {
      key: "b",
      value: "x".repeat(999),
    }]);
    assert.ok(memory.entries.has("key") && !memory.entries.has("b"));
    assert.deepEqual(
      writes.map(({ key, outcomes }) => [key, ...outcomes.map(({ outcome }) => outcome)]),
      [
        ["key", "stored", "stored"],
        ["key", "declined", "stored"],
        ["key", "stored", "stored"],
        ["b", "declined", "stored"],
      ],
    );
  });

  it("set() is false when no tier holds the value, and its older one is gone", async () => {
    const slow = openFlowing();
    await using cache = await CacheManager.open({
      backends: [{ backend: slow, maxEntryBytes: 500 }],
    });
    assert.equal(await cache.set("key", "small"), true);
    assert.equal(await cache.set("key", "l".repeat(1000)), false);
    assert.equal(await cache.get("key"), undefined);
    assert.equal(slow.frames.size, 0);
  });

  it("peek() reads only memory and only what is alive there", async () => {
    const { cache, memory, slow } = await openBoth();
    await cache.set("key", 1);
    memory.entries.clear();
    assert.equal(cache.peek("key"), undefined);
    await using bytesOnly = await openOver(slow);
    assert.equal(bytesOnly.peek("key"), undefined);
    assert.equal(await bytesOnly.get("key"), 1);
  });
});

describe("CacheManager times", () => {
  it("a value lives as long as its TTL says, to the millisecond", async () => {
    const { cache, clock, memory } = await openBoth({ defaultTtl: 100 });
    const start = clock.now();
    const lives: [ttl: number | string | undefined, milliseconds: number][] = [
      [1, 1000],
      [0.25, 250],
      ["250ms", 250],
      ["2s", 2000],
      ["15m", 900_000],
      ["1h", 3_600_000],
      ["7d", 604_800_000],
      ["1.5 h", 5_400_000],
      [undefined, 100_000],
      [Infinity, Infinity],
      [8.64e12, 8.64e15],
    ];
    for (const [at, [ttl, milliseconds]] of lives.entries()) {
      await cache.set(`${at}`, at, { ttl });
      assert.equal(memory.entries.get(`${at}`)!.expiresAt, start + milliseconds, `${ttl}`);
    }
    await clock.advanceAsync(249);
    assert.equal(await cache.get("2"), 2);
    await clock.advanceAsync(1);
    assert.equal(await cache.get("2"), undefined);
    assert.equal(await cache.exists("2"), false);
  });

  it("a TTL that is none is refused, and nothing is stored", async () => {
    const { cache, memory, slow } = await openBoth();
    const refused: [ttl: unknown, error: typeof Error][] = [
      [0, RangeError],
      [-1, RangeError],
      [NaN, RangeError],
      [-Infinity, RangeError],
      [8.65e12, RangeError],
      ["0s", RangeError],
      ["-1s", TypeError],
      ["soon", TypeError],
      ["", TypeError],
      ["5", TypeError],
      ["5 parsecs", TypeError],
      [null, TypeError],
      [10n, TypeError],
      [new Date(), TypeError],
    ];
    for (const [ttl, error] of refused) {
      const options = { ttl: ttl as number };
      const isRefused = (thrown: Error) => {
        assert.ok(thrown instanceof error, `${String(ttl)}: ${thrown}`);
        return /^Cannot (?:set|load): 'ttl' must be /.test(thrown.message);
      };
      await assert.rejects(cache.set("key", 1, options), isRefused);
      await assert.rejects(cache.setMany([{ key: "key", value: 1, ...options }]), isRefused);
      await assert.rejects(cache.getOrSet("key", () => 1, options), isRefused);
      await assert.rejects(cache.getOrSetMany(["key"], () => [1], options), isRefused);
    }
    assert.equal(memory.entries.size + slow.frames.size, 0);
  });

  it("setMany() takes a TTL and tags for each entry", async () => {
    const { cache, clock } = await openBoth({ defaultTtl: 50 });
    await cache.setMany([
      { key: "a", value: 1, ttl: "10s" },
      { key: "b", value: 2 },
      { key: "c", value: 3, tags: ["t"] },
    ]);
    await clock.advanceAsync(10_000);
    assert.deepEqual([cache.peek("a"), cache.peek("b"), cache.peek("c")], [undefined, 2, 3]);
    await cache.deleteByTag("t");
    assert.deepEqual([cache.peek("b"), cache.peek("c")], [2, undefined]);
  });
});

describe("CacheManager signals", () => {
  it("an abort before the call rejects with its reason, and does nothing", async () => {
    const { cache, memory, slow } = await openBoth();
    await cache.set("key", 1);
    const reason = new Error("enough");
    const options = { signal: AbortSignal.abort(reason) };
    const calls = [
      cache.get("key", options),
      cache.getMany(["key"], options),
      cache.exists("key", options),
      cache.set("key", 2, options),
      cache.setMany([{ key: "key", value: 2 }], options),
      cache.delete("key", options),
      cache.deleteMany(["key"], options),
      cache.clear(undefined, options),
      cache.getOrSet("key", () => 2, options),
      cache.getOrSet("other", () => 2, options),
      cache.getOrSetMany(["other"], () => [2], options),
      cache.deleteByTag("t", options),
    ];
    for (const call of calls) await assert.rejects(call, reason);
    assert.equal(await cache.get("key"), 1);
    assert.deepEqual([memory.entries.size, slow.frames.size], [1, 1]);
  });

  it("an abort during the call rejects with its reason", async () => {
    const slow = new SteppedBackend("slow", { isDeaf: true });
    await using cache = await openOver(slow);
    const reason = new Error("enough");
    for (
      const call of [
        (signal: AbortSignal) => cache.get("key", { signal }),
        (signal: AbortSignal) => cache.getMany(["key"], { signal }),
        (signal: AbortSignal) => cache.exists("key", { signal }),
        (signal: AbortSignal) => cache.set("key", 2, { signal }),
        (signal: AbortSignal) => cache.setMany([{ key: "key", value: 2 }], { signal }),
        (signal: AbortSignal) => cache.delete("key", { signal }),
        (signal: AbortSignal) => cache.deleteMany(["key"], { signal }),
        (signal: AbortSignal) => cache.clear(undefined, { signal }),
        (signal: AbortSignal) => cache.getOrSet("key", () => 2, { signal }),
        (signal: AbortSignal) => cache.getOrSetMany(["key"], () => [2], { signal }),
      ]
    ) {
      const controller = new AbortController();
      const running = call(controller.signal);
      await settle();
      controller.abort(reason);
      await assert.rejects(running, reason);
    }
    slow.flow();
  });
});
