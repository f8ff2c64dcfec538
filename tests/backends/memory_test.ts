import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createMemoryBackend, MemoryBackend, type MemoryConfig } from "../../backends/memory.ts";
import { CacheEntry } from "../../src/entry/entry.ts";
import { isCacheError } from "../../src/errors.ts";
import { registerCodec } from "../../src/formats.ts";
import { LruPolicy } from "../../src/eviction/lru.ts";
import { evictionPolicyNames } from "../../src/eviction/policies.ts";
import { jsonSerializer } from "../../src/serializers/json.ts";
import type { BackendReport, Codec } from "../../src/types.ts";
import { backendSuite } from "../backend_suite.ts";
import { entryOf } from "../fakes/entries.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

for (const evictionPolicy of evictionPolicyNames) {
  backendSuite(
    `MemoryBackend with ${evictionPolicy}`,
    (context) => new MemoryBackend({ maxSizeMb: 64, maxEntries: 1000, evictionPolicy }, context),
  );
}

function open(config: MemoryConfig = {}) {
  const clock = new FakeClock();
  const reports: BackendReport[] = [];
  const backend = new MemoryBackend(config, {
    clock,
    report: (report) => void reports.push(report),
  });
  const set = (key: string, value: unknown = 1, options = {}): Promise<boolean> =>
    backend.set(key, entryOf(key, value, { clock, ...options }));
  return { backend, clock, reports, set };
}

async function keysOf(backend: MemoryBackend): Promise<string> {
  const keys: string[] = [];
  for await (const key of backend.keys()) keys.push(key);
  return keys.sort().join(" ");
}

describe("createMemoryBackend()", () => {
  const context = { clock: new FakeClock(), report: () => {} };

  it("throws for a field that is unknown, of a wrong type or out of range", () => {
    const cases: [config: Record<string, unknown>, message: string | RegExp][] = [
      [{ maxSizeMB: 1 }, "'maxSizeMB' is not known: did you mean \"maxSizeMb\"?"],
      [{ maxSizeMb: -3 }, "'maxSizeMb' must be a positive number: current value is -3"],
      [{ maxSizeMb: "3" }, "'maxSizeMb' must be a positive number: current value is \"3\""],
      [{ maxSizeMb: NaN }, "'maxSizeMb' must be a positive number: current value is NaN"],
      [{ maxSizeMb: 1, maxBytes: 1 }, /'maxSizeMb' and 'maxBytes' exclude each other/],
      [{ maxBytes: "many" }, /'maxBytes' must be a number of bytes or a string/],
      [{ maxEntries: 0 }, "'maxEntries' must be an integer of at least 1: current value is 0"],
      [{ maxEntries: 1.5 }, /'maxEntries' must be an integer/],
      [{ name: "" }, /'name' must be a non-empty string/],
      [{ sweepInterval: 0 }, /'sweepInterval' must be positive/],
      [
        { evictionPolicy: "lur" },
        '\'evictionPolicy\' must be one of "auto", "lru", "fifo", "clock", "lfu", "sieve", "s3-fifo", "w-tiny-lfu", or a function: current value is "lur": did you mean "lru"?',
      ],
      [{ evictionPolicy: 3 }, /or a function: current value is 3$/],
      [{ evictionPolicy: null }, /or a function: current value is null$/],
      [
        { evictionPolicy: () => {} },
        "'evictionPolicy' must make an EvictionPolicy: it made undefined",
      ],
      [
        { evictionPolicy: () => ({ add: () => {} }) },
        "'evictionPolicy' must make an EvictionPolicy: it has no method 'touch'",
      ],
    ];
    for (const [config, message] of cases) {
      assert.throws(
        () => createMemoryBackend({ type: "memory", ...config }, context),
        (error: Error) => {
          assert.ok(error instanceof TypeError || error instanceof RangeError);
          assert.ok(error.message.startsWith("Cannot open memory backend: "), error.message);
          if (typeof message === "string") {
            assert.ok(error.message.endsWith(message), error.message);
          } else assert.match(error.message, message);
          return true;
        },
      );
    }
  });

  it("limits bytes to 256 MiB when no limit is given, and only what is given otherwise", async () => {
    const stats = async (config: Record<string, unknown>) => {
      const { maxBytes, maxEntries } = await createMemoryBackend(config, context).getStats();
      return { maxBytes, maxEntries };
    };
    const mib = 1024 * 1024;
    assert.deepStrictEqual(await stats({}), { maxBytes: 256 * mib, maxEntries: undefined });
    assert.deepStrictEqual(await stats({ maxEntries: 5 }), { maxBytes: undefined, maxEntries: 5 });
    assert.deepStrictEqual(await stats({ maxSizeMb: 0.5 }), {
      maxBytes: mib / 2,
      maxEntries: undefined,
    });
    assert.deepStrictEqual(await stats({ maxBytes: "2MB", maxEntries: 5 }), {
      maxBytes: 2 * mib,
      maxEntries: 5,
    });
  });

  it("gives the name that the config says", () => {
    assert.equal(createMemoryBackend({}, context).name, "memory");
    assert.equal(createMemoryBackend({ name: "near" }, context).name, "near");
  });
});

describe("MemoryBackend limits", () => {
  const size = fc.oneof(fc.nat(300), fc.nat(20_000));
  const writes = fc.array(fc.record({ key: fc.nat(25), size, isDelete: fc.nat(9) }), {
    maxLength: 200,
    size: "max",
  });

  for (const evictionPolicy of evictionPolicyNames) {
    it(`hold after each write, with ${evictionPolicy}`, async () => {
      await fc.assert(
        fc.asyncProperty(writes, async (sequence) => {
          const { backend, set } = open({ maxBytes: 15_000, maxEntries: 12, evictionPolicy });
          const written = new Map<string, number>();
          for (const { key: number, size, isDelete } of sequence) {
            const key = `key ${number}`;
            if (isDelete === 0) {
              await backend.delete(key);
              assert.equal(backend.peek(key), undefined);
              continue;
            }
            const stored = await set(key, "x".repeat(size));
            written.set(key, size);
            assert.equal(backend.peek(key) !== undefined, stored, "a declined key is a miss");
            const { entries = NaN, bytes = NaN } = await backend.getStats();
            assert.ok(entries <= 12 && bytes <= 15_000, `${entries} entries, ${bytes} bytes`);
          }
          let bytes = 0;
          for await (const key of backend.keys()) {
            const value = backend.getSync(key)?.value() as string;
            assert.equal(value.length, written.get(key));
            bytes += value.length;
          }
          assert.ok(bytes <= ((await backend.getStats()).bytes ?? NaN));
          await backend.clear();
          const { entries, bytes: left } = await backend.getStats();
          assert.deepStrictEqual([entries, left], [0, 0]);
        }),
        { numRuns: 40 },
      );
    });
  }

  it("set() of an entry larger than the limit declines it, drops the older one, and evicts nothing", async () => {
    const { backend, set } = open({ maxBytes: 5000 });
    for (const key of ["a", "b", "c"]) assert.equal(await set(key), true);
    assert.equal(await set("b", "x".repeat(6000)), false);
    assert.equal(backend.getSync("b"), undefined);
    assert.equal(await keysOf(backend), "a c");
    assert.equal((await backend.getStats()).evictions, 0);
  });

  it("set() of a larger value of the same key makes room among the others, or takes its own place", async () => {
    const { backend, set } = open({ maxBytes: 10_000, evictionPolicy: "fifo" });
    await set("first", "x".repeat(1000));
    await set("second", "x".repeat(1000));
    assert.equal(await set("first", "x".repeat(8500)), true);
    assert.equal((backend.peek("first")?.value() as string).length, 8500);
    assert.equal(await keysOf(backend), "first");
    const { bytes = NaN, evictions } = await backend.getStats();
    assert.ok(bytes > 8500 && bytes <= 10_000);
    assert.equal(evictions, 1);
  });

  it("getSync(), get() and set() count as uses; peek() and exists() do not", async () => {
    const { backend, set } = open({ maxEntries: 3, evictionPolicy: "lru" });
    for (const key of ["a", "b", "c"]) await set(key);
    backend.getSync("a");
    backend.peek("b");
    await backend.exists("b");
    await set("d");
    assert.equal(await keysOf(backend), "a c d");
    await backend.get("c");
    await set("e");
    assert.equal(await keysOf(backend), "c d e");
    await set("d");
    await set("f");
    assert.equal(await keysOf(backend), "d e f");
  });

  it("take a policy of one's own", async () => {
    let seen: unknown;
    const { backend, set } = open({
      maxEntries: 2,
      evictionPolicy: (limits) => {
        seen = limits;
        return new LruPolicy();
      },
    });
    for (const key of ["a", "b", "c"]) await set(key);
    assert.deepStrictEqual(seen, { maxWeight: Infinity, maxEntries: 2 });
    assert.equal(await keysOf(backend), "b c");
  });

  it("set() rejects when a policy of one's own picks what is not there", async () => {
    class Broken extends LruPolicy {
      override evict(): number {
        return 7;
      }
    }
    const { set } = open({ maxEntries: 1, evictionPolicy: () => new Broken() });
    await set("a");
    await assert.rejects(set("b"), (error) => isCacheError(error, "backend"));
  });

  it("count keys and overhead", async () => {
    const { backend, set } = open();
    await set("k".repeat(10_000), 1, { tags: ["t".repeat(1000)] });
    const { bytes = NaN } = await backend.getStats();
    assert.ok(bytes > 11_200 && bytes < 12_200, `${bytes} bytes`);
  });

  it("report evictions together, and the last ones on close", async () => {
    const { backend, clock, reports, set } = open({ maxEntries: 2 });
    await set("a");
    await set("b");
    clock.advance(1000);
    assert.deepStrictEqual(reports, []);
    for (const key of ["c", "d", "e"]) await set(key);
    assert.deepStrictEqual(reports, []);
    clock.advance(1000);
    assert.deepStrictEqual(reports, [{ kind: "evict", count: 3 }]);
    await set("f");
    await backend.close();
    assert.deepStrictEqual(reports.slice(1), [{ kind: "evict", count: 1 }]);
  });
});

describe("MemoryBackend values", () => {
  it("set() of a live entry is done when it returns its promise", async () => {
    const { backend, clock } = open();
    const running = backend.set("key", entryOf("key", "value", { clock }));
    assert.equal(backend.getSync("key")?.value(), "value");
    assert.equal(await running, true);
    const many = backend.setMany([entryOf("a", 1, { clock }), entryOf("b", 2, { clock })]);
    assert.deepStrictEqual(["a", "b"].map((key) => backend.peek(key)?.value()), [1, 2]);
    assert.deepStrictEqual(await many, [true, true]);
  });

  it("get() gives the very value that was set", async () => {
    const { backend, set } = open();
    const value = { list: [1], vector: new Float32Array(384) };
    await set("object", value);
    await set("vector", value.vector);
    assert.equal((await backend.get("object"))?.value(), value);
    assert.equal((await backend.get("vector"))?.value(), value.vector);
  });

  it("set() keeps no bytes that the entry makes later", async () => {
    const { backend, clock } = open();
    const entry = entryOf("key", { a: 1 }, { clock });
    await backend.set("key", entry);
    await entry.encode();
    assert.ok(entry.encodedSize !== undefined);
    assert.equal(backend.peek("key")?.encodedSize, undefined);
  });

  it("set() decodes an entry that was read, and keeps it alive without its bytes", async () => {
    const { backend, clock } = open();
    const frame = await entryOf("key", { a: [1] }, { clock, tags: ["t"] }).encode();
    const read = CacheEntry.decode("key", frame);
    assert.equal(await backend.set("key", read), true);
    const held = backend.peek("key")!;
    assert.equal(held.isLive, true);
    assert.deepStrictEqual(held.value(), { a: [1] });
    assert.deepStrictEqual(held.tags, ["t"]);
    assert.equal(held.encodedSize, undefined);
  });

  it("set() keeps a vector as a view of its frame, and copies a row out of a matrix", async () => {
    const { backend, clock, set } = open();
    const frame = await entryOf("vector", new Float32Array(1536).fill(2), { clock }).encode();
    await backend.set("vector", CacheEntry.decode("vector", frame));
    assert.equal((backend.peek("vector")?.value() as Float32Array).buffer, frame.buffer);
    const matrix = Float32Array.from({ length: 100 * 384 }, (_, at) => at);
    await set("row", matrix.subarray(384, 768));
    const row = backend.peek("row")?.value() as Float32Array;
    assert.deepStrictEqual(row, matrix.slice(384, 768));
    assert.equal(row.buffer.byteLength, 384 * 4);
    matrix.fill(0);
    assert.equal(row[0], 384);
    const { bytes = NaN } = await backend.getStats();
    assert.ok(bytes < 10_000, `${bytes} bytes`);
  });

  it("set() throws when the entry is of another key", async () => {
    const { backend } = open();
    await assert.rejects(
      backend.set("a", entryOf("b", 1)),
      new TypeError('Cannot set "a": entry is of key "b"'),
    );
  });
});

describe("MemoryBackend while an entry is decoded", () => {
  /** Decodes when it is let go. */
  class GatedCodec implements Codec {
    readonly name = "gated";
    readonly id = 201;
    readonly gates: (() => void)[] = [];

    encode(): Uint8Array {
      return new Uint8Array(1);
    }

    decode(_bytes: Uint8Array, { length }: { length: number }): Promise<Uint8Array> {
      return new Promise((resolve) => this.gates.push(() => resolve(new Uint8Array(length))));
    }

    open(): void {
      for (const gate of this.gates.splice(0)) gate();
    }
  }
  const codec = new GatedCodec();
  registerCodec(codec);

  async function readEntry(version: number): Promise<CacheEntry> {
    const written = CacheEntry.of("key", new Uint8Array(1000), {
      createdAt: 1,
      expiresAt: Infinity,
      staleUntil: Infinity,
      version,
      tags: [],
    }, { serializer: jsonSerializer, codec, compressionMinBytes: 0 });
    return CacheEntry.decode("key", await written.encode());
  }

  it("set() stores it when it is decoded", async () => {
    const { backend } = open();
    const running = backend.set("key", await readEntry(1));
    assert.equal(backend.peek("key"), undefined);
    codec.open();
    assert.equal(await running, true);
    assert.deepStrictEqual(backend.peek("key")?.value(), new Uint8Array(1000));
  });

  it("set() gives way to a newer entry that came in meanwhile, not to an older one", async () => {
    for (const [version, kept] of [[3, 3], [1, 2]] as const) {
      const { backend, clock } = open();
      const running = backend.set("key", await readEntry(2));
      await backend.set("key", entryOf("key", "other", { clock, version }));
      codec.open();
      assert.equal(await running, true);
      assert.equal(backend.peek("key")?.version, kept);
    }
  });

  it("set() that is aborted or overtaken by close() rejects and stores nothing", async () => {
    const { backend } = open();
    const controller = new AbortController();
    const aborted = backend.set("key", await readEntry(1), { signal: controller.signal });
    const reason = new Error("enough");
    controller.abort(reason);
    codec.open();
    await assert.rejects(aborted, reason);
    assert.equal(backend.peek("key"), undefined);
    const late = backend.set("key", await readEntry(1));
    const closing = backend.close();
    codec.open();
    await assert.rejects(late, (error) => isCacheError(error, "closed"));
    await closing;
    assert.equal((await backend.close(), backend.peek("key")), undefined);
  });

  it("set() rejects when it cannot be decoded", async () => {
    const { backend, clock } = open();
    const entry = CacheEntry.of("key", { a: 1 }, { ...entryOf("key", 1, { clock }) }, {
      serializer: { ...jsonSerializer, name: "unknown", id: 202 },
      codec: undefined,
      compressionMinBytes: 0,
    });
    const read = CacheEntry.decode("key", await entry.encode());
    await assert.rejects(
      backend.set("key", read),
      (error) => isCacheError(error, "unsupported-format"),
    );
    assert.equal(backend.peek("key"), undefined);
  });
});

describe("MemoryBackend after close()", () => {
  it("getSync() and peek() miss", async () => {
    const { backend, set } = open();
    await set("key");
    await backend.close();
    assert.equal(backend.getSync("key"), undefined);
    assert.equal(backend.peek("key"), undefined);
  });
});
