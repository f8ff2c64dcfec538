import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { codecNames, serializerNames } from "../../src/formats.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import type { CacheManagerOptions } from "../../src/manager/cache_manager_options.ts";
import { resolveOptions } from "../../src/manager/cache_manager_options.ts";
import { CacheBackendRegistry } from "../../src/registry.ts";
import type { Codec, Serializer } from "../../src/types.ts";
import { jsonSerializer } from "../../src/serializers/json.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { MapBackend } from "../fakes/map_backend.ts";
import { SteppedBackend } from "../fakes/stepped_backend.ts";

const backend = new MapBackend(systemClock);
const BACKENDS = [backend];

// Other tests in the same process may have registered some.
const quoted = (names: string[]): string => names.map((name) => `"${name}"`).join(", ");
const CODECS = quoted(codecNames());
const SERIALIZERS = quoted(serializerNames());

/** Each field with what it must not be, and the exact message. */
const REFUSED: readonly (readonly [options: unknown, error: typeof Error, message: string])[] = [
  [undefined, TypeError, "config must be an object: current value is undefined"],
  [null, TypeError, "config must be an object: current value is null"],
  [[], TypeError, "config must be an object: current value is an array"],
  ["memory", TypeError, 'config must be an object: current value is "memory"'],
  [{}, TypeError, "'backends' must be an array of at least one tier: current value is undefined"],
  [
    { backends: [] },
    TypeError,
    "'backends' must be an array of at least one tier: current value is an array",
  ],
  [
    { backends: { type: "memory" } },
    TypeError,
    "'backends' must be an array of at least one tier: current value is an object",
  ],
  [{ backend: [] }, TypeError, "'backend' is not known: did you mean \"backends\"?"],
  [
    { backends: BACKENDS, defaultTTL: 1 },
    TypeError,
    "'defaultTTL' is not known: did you mean \"defaultTtl\"?",
  ],
  [{ backends: BACKENDS, whatEverThisIs: 1 }, TypeError, "'whatEverThisIs' is not known"],
  [
    { backends: BACKENDS, defaultTtl: 0 },
    RangeError,
    "'defaultTtl' must be positive and at most 8640000000000 seconds: current value is 0",
  ],
  [
    { backends: BACKENDS, defaultTtl: "soon" },
    TypeError,
    '\'defaultTtl\' must be a number of seconds or a string such as "15m": current value is "soon"',
  ],
  [
    { backends: BACKENDS, defaultTtl: null },
    TypeError,
    "'defaultTtl' must be a number of seconds or a string such as \"15m\": current value is null",
  ],
  [
    { backends: BACKENDS, enableStats: 1 },
    TypeError,
    "'enableStats' must be true or false: current value is 1",
  ],
  [
    { backends: BACKENDS, enableCompression: "yes" },
    TypeError,
    "'enableCompression' must be true or false: current value is \"yes\"",
  ],
  [
    { backends: BACKENDS, compression: "lz5" },
    TypeError,
    `'compression' must be one of ${CODECS}: current value is "lz5": did you mean "lz4"?`,
  ],
  [
    { backends: BACKENDS, compression: 4, enableCompression: false },
    TypeError,
    `'compression' must be one of ${CODECS}: current value is 4`,
  ],
  [
    { backends: BACKENDS, compressionMinBytes: -1 },
    RangeError,
    "'compressionMinBytes' must be a positive number of bytes: current value is -1",
  ],
  [
    { backends: BACKENDS, compressionMinBytes: "1 KiB" },
    TypeError,
    '\'compressionMinBytes\' must be a number of bytes or a string such as "64MB": current value is "1 KiB"',
  ],
  [
    { backends: BACKENDS, maxDecodedBytes: NaN },
    RangeError,
    "'maxDecodedBytes' must be a positive number of bytes: current value is NaN",
  ],
  [
    { backends: BACKENDS, serializationFormat: "xml" },
    TypeError,
    `'serializationFormat' must be one of ${SERIALIZERS}: current value is "xml"`,
  ],
  [
    { backends: BACKENDS, serializationFormat: "structure" },
    TypeError,
    `'serializationFormat' must be one of ${SERIALIZERS}: current value is "structure": did you mean "structured"?`,
  ],
  [
    { backends: BACKENDS, serializationFormat: { encode() {}, decode() {} } },
    TypeError,
    `'serializationFormat' must be one of ${SERIALIZERS}: current value is an object`,
  ],
  [
    { backends: BACKENDS, clock: Date },
    TypeError,
    "'clock' must be a Clock: current value is a function",
  ],
  [
    { backends: BACKENDS, clock: { now: () => 0 } },
    TypeError,
    "'clock' must be a Clock: current value is an object",
  ],
  [
    { backends: ["memory"] },
    TypeError,
    'backends[0] must be a config object or a CacheBackend: current value is "memory"',
  ],
  [
    { backends: [backend, null] },
    TypeError,
    "backends[1] must be a config object or a CacheBackend: current value is null",
  ],
  [
    { backends: [{}] },
    TypeError,
    "backends[0]: 'type' must be a string: current value is undefined",
  ],
  [
    { backends: [{ type: 7 }] },
    TypeError,
    "backends[0]: 'type' must be a string: current value is 7",
  ],
  [
    { backends: [{ backend: {} }] },
    TypeError,
    "backends[0]: 'backend' must be a CacheBackend: current value is an object",
  ],
  [
    { backends: [{ backend, maxTl: 1 }] },
    TypeError,
    "backends[0]: 'maxTl' is not known: did you mean \"maxTtl\"?",
  ],
  [
    { backends: [{ backend, maxEntryByte: 1 }] },
    TypeError,
    "backends[0]: 'maxEntryByte' is not known: did you mean \"maxEntryBytes\"?",
  ],
  [
    { backends: [{ backend, deadlines: 1 }] },
    TypeError,
    "backends[0]: 'deadlines' is not known: did you mean \"deadline\"?",
  ],
  [
    { backends: [{ backend, maxTtl: -1 }] },
    RangeError,
    "backends[0]: 'maxTtl' must be positive and at most 8640000000000 seconds: current value is -1",
  ],
  [
    { backends: [backend, { type: "memory", maxEntryBytes: 0 }] },
    RangeError,
    "backends[1]: 'maxEntryBytes' must be a positive number of bytes: current value is 0",
  ],
  [
    { backends: [{ backend, deadline: true }] },
    TypeError,
    "backends[0]: 'deadline' must be a number of seconds or a string such as \"15m\": current value is true",
  ],
  [
    { backends: [{ backend, breaker: true }] },
    TypeError,
    "backends[0]: 'breaker' must be an object or false: current value is true",
  ],
  [
    { backends: [{ backend, breaker: { errorrate: 1 } }] },
    TypeError,
    "backends[0]: 'breaker': 'errorrate' is not known: did you mean \"errorRate\"?",
  ],
  [
    { backends: [{ backend, breaker: { errorRate: "half" } }] },
    TypeError,
    "backends[0]: 'breaker': 'errorRate' must be a number: current value is \"half\"",
  ],
  [
    { backends: [{ backend, breaker: { errorRate: 1.5 } }] },
    RangeError,
    "backends[0]: 'breaker': 'errorRate' must be above 0 and at most 1: current value is 1.5",
  ],
  [
    { backends: [{ backend, breaker: { minCalls: 0 } }] },
    RangeError,
    "backends[0]: 'breaker': 'minCalls' must be an integer of at least 1: current value is 0",
  ],
  [
    { backends: [{ backend, breaker: { maxPause: "soon" } }] },
    TypeError,
    "backends[0]: 'breaker': 'maxPause' must be a number of seconds or a string such as \"15m\": current value is \"soon\"",
  ],
  [
    { backends: BACKENDS, coordination: { bus: "redis" } },
    TypeError,
    "'coordination': 'bus' must be \"auto\", false or an InvalidationBus: current value is \"redis\"",
  ],
  [
    { backends: BACKENDS, coordination: { maxIntents: 0 } },
    RangeError,
    "'coordination': 'maxIntents' must be an integer of at least 1: current value is 0",
  ],
  [
    { backends: BACKENDS, coordination: { sharedTier: "nowhere" } },
    TypeError,
    "'coordination': 'sharedTier' is \"nowhere\": no tier has that name",
  ],
  [
    { backends: BACKENDS, random: 4 },
    TypeError,
    "'random' must be a function: current value is 4",
  ],
  [
    { backends: [{ name: "half", get() {}, set() {} }] },
    TypeError,
    "backends[0] is no CacheBackend: it has no method 'delete'",
  ],
  [
    { backends: [{ backend: { get() {}, set() {} } }] },
    TypeError,
    "backends[0] is no CacheBackend: 'name' must be a non-empty string",
  ],
  [
    { backends: [backend, { backend }] },
    TypeError,
    "two tiers are named \"map\": give one of them another 'name'",
  ],
];

describe("CacheManager.open() refuses", () => {
  for (const [options, type, message] of REFUSED) {
    it(message.replace(/(?<=one of )"lz4".*?(?=:)|(?<=one of )"json".*?(?=:)/, "…"), async () => {
      await assert.rejects(CacheManager.open(options as CacheManagerOptions), (error: Error) => {
        assert.ok(error instanceof type, `${error.name}`);
        assert.equal(error.message.replace(/^Cannot open cache(: | (?=two))/, ""), message);
        return true;
      });
    });
  }

  it("an unknown type of backend, with the nearest known one", async () => {
    await assert.rejects(
      CacheManager.open({ backends: [{ type: "memroy" }] }),
      (error: Error) => {
        assert.ok(error instanceof TypeError);
        assert.match(
          error.message,
          /^Cannot open backend: 'type' must be one of "memory", "filesystem".*: current value is "memroy": did you mean "memory"\?$/,
        );
        return true;
      },
    );
  });

  it("an unknown field of a backend, with the nearest field of backend or tier", async () => {
    await assert.rejects(CacheManager.open({ backends: [{ type: "memory", maxEntryByte: 1 }] }), {
      name: "TypeError",
      message:
        "Cannot open memory backend: 'maxEntryByte' is not known: did you mean \"maxEntryBytes\"?",
    });
  });

  it("a serializer or codec whose id belongs to another", async () => {
    const mine = { ...jsonSerializer, name: "mine" };
    await assert.rejects(CacheManager.open({ backends: BACKENDS, serializationFormat: mine }), {
      name: "RangeError",
      message:
        "Cannot open cache: 'serializationFormat': Cannot register serializer \"mine\": 'id' must be an integer from 128 to 255: current value is 1",
    });
    const [first, second] = [serializer("one", 240), serializer("two", 240)];
    await CacheManager.open({
      backends: [new MapBackend(systemClock)],
      serializationFormat: first,
    });
    await assert.rejects(CacheManager.open({ backends: BACKENDS, serializationFormat: second }), {
      name: "TypeError",
      message:
        'Cannot open cache: \'serializationFormat\': Cannot register serializer "two" with id 240: "one" has that name or id already',
    });
  });
});

describe("CacheManager.open()", () => {
  it("takes backends as configs, ready-made, and ready-made with limits", async () => {
    const clock = new FakeClock();
    await using cache = await CacheManager.open({
      clock,
      backends: [
        { type: "memory", maxEntries: 10, maxTtl: 60, deadline: "1s", maxEntryBytes: "64KB" },
        new MapBackend(clock, "ready"),
        { backend: new MapBackend(clock, "limited"), maxTtl: "10m" },
      ],
    });
    const { tiers } = await cache.getStats();
    assert.deepEqual(tiers.map(({ name }) => name), ["memory", "ready", "limited"]);
    assert.equal(await cache.set("key", 1), true);
    assert.equal(await cache.get("key"), 1);
  });

  it("leaves an options object as it was", async () => {
    const options = Object.freeze({
      backends: Object.freeze([
        Object.freeze({ type: "memory", maxEntries: 1, maxTtl: 1 }),
        Object.freeze({ backend: new MapBackend(systemClock), deadline: 1 }),
      ]),
    });
    await using _cache = await CacheManager.open(options);
  });

  it("fills in the defaults", async () => {
    const resolved = await resolveOptions({ backends: BACKENDS });
    assert.deepEqual(resolved, {
      tiers: [{
        source: backend,
        limits: {
          maxTtl: Infinity,
          maxEntryBytes: Infinity,
          deadline: 5000,
          breaker: undefined,
        },
      }],
      defaultTtl: Infinity,
      format: {
        serializer: resolved.format.serializer,
        codec: undefined,
        compressionMinBytes: 1024,
      },
      maxDecodedBytes: 256 * 1024 * 1024,
      asksBackends: true,
      prefetch: undefined,
      snapshot: undefined,
      measuresLoadCost: false,
      clock: systemClock,
      random: Math.random,
      coordination: {
        bus: "auto",
        sharedTier: undefined,
        locks: "auto",
        lockLease: 10_000,
        recoveryPeriod: 2000,
        maxIntents: 100_000,
        maxIntentBytes: 64 * 1024 * 1024,
        whenMissed: "drop",
      },
    });
    assert.equal(resolved.format.serializer.name, "structured");
  });

  it("compresses where a codec is named or compression is enabled", async () => {
    const codecOf = async (options: object) =>
      (await resolveOptions({ backends: BACKENDS, ...options })).format.codec?.name;
    assert.equal(await codecOf({}), undefined);
    assert.equal(await codecOf({ enableCompression: true }), "lz4");
    assert.equal(await codecOf({ compression: "gzip" }), "gzip");
    assert.equal(await codecOf({ compression: "gzip", enableCompression: false }), undefined);
  });

  it("takes a codec and a serializer of the caller's, and reads what they wrote", async () => {
    const codec: Codec = {
      name: "half",
      id: 241,
      encode: (bytes) => bytes.slice(0, bytes.length / 2),
      decode: async (bytes) => {
        const whole = new Uint8Array(bytes.length * 2);
        whole.set(bytes);
        whole.set(bytes, bytes.length);
        return await Promise.resolve(whole);
      },
    };
    const slow = new SteppedBackend();
    slow.isFlowing = true;
    const open = () =>
      CacheManager.open({
        backends: [{ backend: slow }],
        compression: codec,
        compressionMinBytes: 1,
        // Another instance each time, as a factory gives them.
        serializationFormat: serializer("upper", 242),
      });
    await using first = await open();
    await first.set("text", "abc");
    await first.set("bytes", new Uint8Array(4096).fill(7));
    assert.ok(slow.frames.get("bytes")!.length < 3000);
    await using second = await open();
    assert.equal(await second.get("text"), "ABC");
    assert.deepEqual(await second.get("bytes"), new Uint8Array(4096).fill(7));
  });

  it("closes what it opened when a later tier cannot be opened, and leaves ready-made ones alone", async () => {
    const closed: string[] = [];
    class Closable extends MapBackend {
      override async close(): Promise<void> {
        closed.push(this.name);
        await super.close();
        if (this.name === "first") throw new Error("close failed");
      }
    }
    class ThrowingOnClose extends MapBackend {
      override close(): Promise<void> {
        closed.push(this.name);
        throw new Error("close threw");
      }
    }
    const ready = new Closable(systemClock, "ready");
    CacheBackendRegistry.register("first", (_, { clock }) => new Closable(clock, "first"));
    CacheBackendRegistry.register("second", (_, { clock }) => new ThrowingOnClose(clock, "second"));
    CacheBackendRegistry.register("third", (_, { clock }) => new Closable(clock, "third"));
    CacheBackendRegistry.register("failing", () => Promise.reject(new Error("no such store")));
    CacheBackendRegistry.register("nothing", () => undefined as never);
    CacheBackendRegistry.register("half", () => ({ name: "half", get() {}, set() {} }) as never);
    try {
      const types = ["first", "second", "third"].map((type) => ({ type }));
      await assert.rejects(
        CacheManager.open({ backends: [ready, ...types, { type: "failing" }] }),
        {
          message: "no such store",
        },
      );
      assert.deepEqual(closed.splice(0), ["first", "second", "third"]);
      await assert.rejects(CacheManager.open({ backends: [...types, { type: "third" }] }), {
        message: /two tiers are named "third"/,
      });
      assert.deepEqual(closed.splice(0), ["first", "second", "third", "third"]);
      await assert.rejects(CacheManager.open({ backends: [{ type: "nothing" }] }), {
        name: "TypeError",
        message:
          'Cannot open backend: factory of "nothing" gave no CacheBackend: it is no object with get and set',
      });
      await assert.rejects(CacheManager.open({ backends: [{ type: "third" }, { type: "half" }] }), {
        name: "TypeError",
        message:
          "Cannot open backend: factory of \"half\" gave no CacheBackend: it has no method 'delete'",
      });
      assert.deepEqual(closed, ["third"]);
      assert.equal(await ready.get("still open"), undefined);
    } finally {
      for (const type of ["first", "second", "third", "failing", "nothing", "half"]) {
        CacheBackendRegistry.unregister(type);
      }
    }
  });

  it("gives a factory its own fields, the clock, and a way to report", async () => {
    const clock = new FakeClock();
    let config: unknown;
    let report: ((text: string) => void) | undefined;
    CacheBackendRegistry.register("reporting", (given, context) => {
      config = given;
      report = (text) => context.report({ kind: "corrupt", key: "k", error: text });
      assert.equal(context.clock, clock);
      return new MapBackend(clock, "named later");
    });
    try {
      await using cache = await CacheManager.open({
        clock,
        backends: [{
          type: "reporting",
          path: "somewhere",
          maxTtl: 1,
          deadline: 1,
          maxEntryBytes: 1,
        }],
      });
      const told: unknown[] = [];
      cache.on("corrupt", (details) => told.push(details));
      report!("damaged");
      assert.deepEqual(config, { type: "reporting", path: "somewhere" });
      assert.deepEqual(told, [{ tier: "named later", key: "k", error: "damaged" }]);
    } finally {
      CacheBackendRegistry.unregister("reporting");
    }
  });
});

/** Makes text upper case, to be told from the others. */
function serializer(name: string, id: number): Serializer {
  return {
    name,
    id,
    encode: (value) => new TextEncoder().encode(String(value).toUpperCase()),
    decode: (bytes) => new TextDecoder().decode(bytes),
  };
}
