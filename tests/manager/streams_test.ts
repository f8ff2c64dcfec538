import fc from "fast-check";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { isCacheError } from "../../src/errors.ts";
import { SLOT_BYTES } from "../../src/entry/stream_frame.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import type { CacheManagerOptions } from "../../src/manager/cache_manager_options.ts";
import type { OperationOptions, StreamedEntry, VersionedOutcome } from "../../src/types.ts";
import { bytesFrom, bytesOfSize, pieces } from "../backend_suite/stream_parts.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { freshSeed, seededRandom } from "../fakes/seeded_random.ts";
import { settle } from "../fakes/settle.ts";
import { joinBytes } from "../fakes/stream_frames.ts";
import { StreamingBackend } from "../fakes/streaming_backend.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";

type Options = Omit<CacheManagerOptions, "backends" | "clock">;

/** A cache over memory, a tier of streams and a slower one. */
async function open(options: Options = {}) {
  const clock = new FakeClock();
  const memory = new SyncBackend(clock, "memory");
  const fast = new StreamingBackend(clock, "fast");
  const slow = new StreamingBackend(clock, "slow");
  const backends = [memory, fast, slow];
  const cache = await CacheManager.open({ backends, clock, ...options });
  return { cache, clock, memory, fast, slow };
}

/** Copies each piece, gives it back at once, and says so twice. */
class ReleasingBackend extends StreamingBackend {
  readonly memories = new Set<ArrayBufferLike>();

  override setStream(
    key: string,
    entry: StreamedEntry,
    options?: OperationOptions,
  ): Promise<VersionedOutcome> {
    const copied = new TransformStream<Uint8Array, Uint8Array>({
      transform: (piece, controller) => {
        controller.enqueue(piece.slice());
        this.memories.add(piece.buffer);
        entry.release?.(piece);
        entry.release?.(piece);
      },
    });
    return super.setStream(key, { ...entry, frame: entry.frame.pipeThrough(copied) }, options);
  }
}

/** Reads all of a stream. */
async function readAll(
  stream: ReadableStream<Uint8Array> | undefined,
): Promise<Uint8Array | undefined> {
  return stream && new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Bytes as a stream in pieces of 100,000. */
function streamOf(bytes: Uint8Array, error?: Error): ReadableStream<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 100_000) parts.push(bytes.slice(at, at + 100_000));
  return bytesFrom(parts, error);
}

/** Makes a source that gives bytes in a way that is allowed, and that not everybody thinks of. */
const SOURCES: Record<string, (bytes: Uint8Array) => ReadableStream<Uint8Array>> = {
  "thousands of single bytes": (bytes) => {
    const single = Array.from(bytes.subarray(0, 5000), (byte) => Uint8Array.of(byte));
    return bytesFrom([...single, bytes.slice(5000)]);
  },
  "nothing between the pieces": (bytes) => {
    const nothing = new Uint8Array(0);
    return bytesFrom([nothing, bytes.slice(0, 300_000), nothing, nothing, bytes.slice(300_000)]);
  },
  "the same buffer again and again": (bytes) => {
    const buffer = new Uint8Array(90_000);
    let at = 0;
    return new ReadableStream({
      pull: (to) => {
        if (at === bytes.length) return to.close();
        buffer.set(bytes.subarray(at, at += buffer.length));
        to.enqueue(buffer);
      },
    }, { highWaterMark: 0 });
  },
  "memory that is shared": (bytes) => {
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    return bytesFrom([shared]);
  },
  "a Buffer": (bytes) => bytesFrom([Buffer.from(bytes)]),
  "a stream of bytes": (bytes) => {
    let at = 0;
    return new ReadableStream({
      type: "bytes",
      autoAllocateChunkSize: 90_000,
      pull: (to) => {
        const request = to.byobRequest!;
        const view = request.view as Uint8Array<ArrayBuffer>;
        const part = bytes.subarray(at, at + view.length);
        new Uint8Array(view.buffer, view.byteOffset, view.length).set(part);
        at += part.length;
        if (part.length === 0) to.close();
        request.respond(part.length);
      },
    });
  },
};

const ROOM = SLOT_BYTES - 16;
const LENGTHS = [0, 1, 5000, ROOM - 128, ROOM - 127, SLOT_BYTES, 2 * ROOM - 128, 1_000_000];

describe("setStream() and getStream()", () => {
  const seed = freshSeed();

  it(`bring back what came, whatever its pieces, from every tier (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    for (const compression of [undefined, "gzip"]) {
      const { cache, memory, fast } = await open(compression ? { compression } : {});
      for (const length of LENGTHS) {
        const value = compression ? new Uint8Array(length).fill(7) : bytesOfSize(length);
        assert.equal(await cache.setStream("key", bytesFrom(pieces(value, random))), true);
        for (let tier = 0; tier < 3; tier++) {
          assert.deepStrictEqual(await readAll(await cache.getStream("key")), value);
          assert.deepStrictEqual(await cache.get("key"), value, `${length} from tier ${tier}`);
          await cache.flush();
          // From now on it has to come from below.
          if (tier === 0) memory.entries.clear();
          if (tier <= 1) memory.entries.clear();
          if (tier === 1) fast.held.clear();
        }
      }
      await cache.close();
    }
  });

  for (const compression of [undefined, "gzip"]) {
    it(`setStream() uses the memory of chunks again that all tiers have released (${compression ?? "plain"})`, async () => {
      const clock = new FakeClock();
      const value = new TextEncoder().encode("some words, again and again ".repeat(400_000))
        .map((byte, at) => byte + (at >>> 18));
      for (const isKept of [false, true]) {
        const releasing = ["one", "other"].map((name) => new ReleasingBackend(clock, name));
        const kept = isKept ? [new StreamingBackend(clock, "keeps")] : [];
        const backends = [...releasing, ...kept];
        const cache = await CacheManager.open({
          ...{ backends: [new SyncBackend(clock, "memory"), ...backends], clock },
          ...(compression === undefined ? {} : { compression }),
        });
        assert.equal(await cache.setStream("key", streamOf(value)), true);
        for (const backend of backends) {
          const alone = await CacheManager.open({ backends: [backend], clock });
          assert.deepStrictEqual(await readAll(await alone.getStream("key")), value, backend.name);
        }
        const chunks = Math.ceil(value.length / ROOM);
        const { memories } = releasing[0]!;
        if (compression === undefined) {
          assert.equal(memories.size > chunks, isKept, `${memories.size} for ${chunks} chunks`);
        }
        await cache.close();
      }
    });
  }

  it("getStream() reads what set() wrote, and refuses what is not bytes", async () => {
    const { cache, memory } = await open();
    const vector = new Float32Array([1, 2, 3]);
    await cache.set("vector", vector);
    await cache.set("text", "text");
    for (let round = 0; round < 2; round++) {
      const read = await readAll(await cache.getStream("vector"));
      assert.deepStrictEqual(read, new Uint8Array(vector.buffer));
      await assert.rejects(cache.getStream("text"), {
        name: "TypeError",
        message: "Cannot get stream: the value is not bytes: read it with get",
      });
      memory.entries.clear();
    }
    assert.equal(await cache.getStream("missing"), undefined);
    await cache.close();
  });

  it("setStream() takes bytes as they come, from any kind of source", async () => {
    const text = new TextEncoder().encode("some words again and again ".repeat(30_000));
    for (const compression of [undefined, "lz4"]) {
      const { cache, memory } = await open(compression ? { compression } : {});
      for (const [name, make] of Object.entries(SOURCES)) {
        assert.equal(await cache.setStream("key", make(text)), true, name);
        for (let tier = 0; tier < 2; tier++) {
          const read = await readAll(await cache.getStream("key"));
          assert.equal(Buffer.compare(read!, text), 0, name);
          memory.entries.clear();
        }
      }
      await cache.close();
    }
  });

  it("getStream() gives any range, from every tier", async () => {
    const text = new TextEncoder().encode("some words again and again ".repeat(40_000));
    for (const compression of ["lz4", undefined]) {
      const { cache, memory, fast, slow } = await open(compression ? { compression } : {});
      const values = { text, random: bytesOfSize(1_000_000), small: text.slice(0, 5000) };
      for (const [key, value] of Object.entries(values)) {
        await cache.setStream(key, streamOf(value));
        await cache.set(`${key} whole`, value);
      }
      for (const clear of [() => {}, () => {}, () => fast.held.clear()]) {
        await fc.assert(
          fc.asyncProperty(
            fc.constantFrom(...Object.keys(values) as (keyof typeof values)[]),
            fc.boolean(),
            fc.oneof(fc.nat(1_100_000), fc.constantFrom(0, ROOM - 64, ROOM, 5000, 1_000_000)),
            fc.oneof(fc.nat(1_100_000), fc.constantFrom(0, 1, ROOM, Infinity)),
            async (key, isWhole, offset, length) => {
              const expected = values[key].subarray(offset, offset + length);
              const stored = isWhole ? `${key} whole` : key;
              const read = await readAll(await cache.getStream(stored, { offset, length }));
              assert.deepStrictEqual(read, expected);
            },
          ),
          { numRuns: 40 },
        );
        memory.entries.clear();
        clear();
      }
      assert.equal(slow.held.size, 6);
      await cache.close();
    }
  });

  it("misuse is told at once", async () => {
    const { cache } = await open();
    const locked = streamOf(new Uint8Array(1));
    locked.getReader();
    const begun = streamOf(bytesOfSize(300_000));
    const reader = begun.getReader();
    await reader.read();
    reader.releaseLock();
    const ended = streamOf(new Uint8Array(1));
    for await (const _ of ended);
    const cancelled = streamOf(new Uint8Array(1));
    await cancelled.cancel();
    const moved = bytesOfSize(300_000);
    structuredClone(moved, { transfer: [moved.buffer as ArrayBuffer] });
    const cases: [() => Promise<unknown>, string][] = [
      [
        () => cache.getStream("key", { offset: -1 }),
        "'offset' must be a number of bytes, 0 or more: current value is -1",
      ],
      [
        () => cache.getStream("key", { length: 1.5 }),
        "'length' must be a number of bytes, 0 or more: current value is 1.5",
      ],
      [() => cache.getStream("key", { offset: NaN }), "'offset' must be a number of bytes"],
      [
        () => cache.setStream("key", streamOf(new Uint8Array(1)), { size: -1 }),
        "'size' must be a number of bytes",
      ],
      [
        () => cache.setStream("key", "text" as never),
        "it must be a ReadableStream: current value is",
      ],
      [() => cache.setStream("key", locked), "it is locked: somebody else reads it"],
      [() => cache.setStream("key", begun), "it has been read from or cancelled before"],
      [() => cache.setStream("key", ended), "it has been read from or cancelled before"],
      [() => cache.setStream("key", cancelled), "it has been read from or cancelled before"],
      [
        () => cache.setStream("key", bytesFrom([bytesOfSize(300_000), moved])),
        "it gave a Uint8Array whose memory was transferred: give a copy",
      ],
      ...[
        new ArrayBuffer(8),
        new SharedArrayBuffer(8),
        new Uint16Array(8),
        new Uint8ClampedArray(8),
        [1],
        null,
      ].map((piece): [() => Promise<unknown>, string] => [
        () => cache.setStream("key", bytesFrom([bytesOfSize(300_000), piece as never])),
        "it must give Uint8Array: it gave",
      ]),
      [() => cache.setStream(1 as never, streamOf(new Uint8Array(1))), "key must be a string"],
      [
        () => cache.setStream("key", bytesFrom(["text" as never])),
        "it must give Uint8Array: it gave",
      ],
    ];
    for (const [call, message] of cases) {
      await assert.rejects(call, (error: Error) => {
        assert.ok(error instanceof TypeError || error instanceof RangeError, String(error));
        assert.ok(error.message.includes(message), error.message);
        return true;
      });
    }
    assert.equal(await cache.getStream("key"), undefined);
    await cache.close();
  });

  it("setStream() shows nothing before the end, and leaves nothing of a source that fails at any chunk", async () => {
    const { cache, memory, fast, slow } = await open();
    const old = bytesOfSize(300_000);
    await cache.setStream("held", streamOf(old));
    const value = bytesOfSize(1_500_000);
    const before = new Map(slow.held);
    for (const key of ["held", "new"]) {
      for (let length = 0; length <= value.length; length += 100_000) {
        const reason = new Error(`no more than ${length}`);
        const storing = cache.setStream(key, streamOf(value.subarray(0, length), reason));
        await assert.rejects(storing, (error) => error === reason);
      }
      assert.deepStrictEqual(
        await readAll(await cache.getStream(key)),
        key === "held" ? old : undefined,
      );
    }
    await cache.flush();
    assert.deepStrictEqual([...memory.entries.keys()], ["held"]);
    for (const tier of [fast, slow]) assert.deepStrictEqual(tier.held, before);
    assert.equal((await cache.getStats()).streamErrors, 32);
    await cache.close();
  });

  it("setStream() and getStream() end with their signal, at any chunk", async () => {
    const { cache, fast, slow } = await open();
    const value = bytesOfSize(1_500_000);
    const reason = new Error("no more");
    const isReason = (error: unknown): boolean => error === reason;
    for (let chunk = 0; chunk <= 15; chunk++) {
      const controller = new AbortController();
      let given = 0;
      let cancelledWith: unknown;
      const source = new ReadableStream<Uint8Array>({
        pull: (to) => {
          if (given === chunk) controller.abort(reason);
          else to.enqueue(value.slice(given * 100_000, ++given * 100_000));
        },
        cancel: (why) => void (cancelledWith = why),
      }, { highWaterMark: 0 });
      await assert.rejects(cache.setStream("key", source, { signal: controller.signal }), isReason);
      assert.equal(cancelledWith, reason);
      assert.equal(fast.held.size + slow.held.size, 0);
    }
    await cache.setStream("key", streamOf(value));
    for (let chunk = 0; chunk <= 5; chunk++) {
      fast.held.clear();
      const controller = new AbortController();
      const stream = await cache.getStream("key", { signal: controller.signal });
      const reader = stream!.getReader();
      for (let read = 0; read < chunk; read++) await reader.read();
      controller.abort(reason);
      await assert.rejects(reader.read(), isReason);
      await cache.flush();
      assert.equal(fast.held.size, 0, "no copy is left of what was not read to its end");
    }
    await cache.close();
  });

  it("a size that was said is kept to", async () => {
    const { cache, slow } = await open();
    for (const length of [1000, 700_000]) {
      for (const [size, outcome] of [[length, true], [length - 1, false], [length + 1, false]]) {
        const storing = cache.setStream("key", streamOf(bytesOfSize(length)), {
          size: size as number,
        });
        if (outcome) assert.equal(await storing, true);
        else await assert.rejects(storing, (error) => isCacheError(error, "invalid-result"));
        assert.equal(slow.held.size, outcome ? 1 : 0);
        await cache.delete("key");
      }
    }
    await cache.close();
  });

  it("a delete, clear or write that comes meanwhile wins", async () => {
    const { cache } = await open();
    const changes: [() => Promise<unknown>, unknown][] = [
      [() => cache.delete("key"), undefined],
      [() => cache.clear(), undefined],
      [() => cache.set("key", "newer"), "newer"],
      [() => cache.setStream("key", streamOf(bytesOfSize(400_000))), bytesOfSize(400_000)],
    ];
    for (const [change, expected] of changes) {
      for (const length of [10, 600_000]) {
        const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
        const writer = writable.getWriter();
        await cache.set("key", "old");
        const storing = cache.setStream("key", readable);
        await writer.write(bytesOfSize(length));
        await change();
        await writer.close();
        await storing;
        assert.deepStrictEqual(await cache.get("key"), expected);
      }
    }
    await cache.close();
  });

  it("of two streams the one that began later is what readers see, whichever ends first", async () => {
    for (const firstEndsFirst of [true, false]) {
      const { cache, memory, fast } = await open();
      const writes = [1, 2].map((number) => {
        const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
        const storing = cache.setStream("key", readable);
        return { writer: writable.getWriter(), storing, value: bytesOfSize(600_000 + number) };
      });
      for (const { writer, value } of writes) await writer.write(value.slice(0, 500_000));
      const order = firstEndsFirst ? writes : [...writes].reverse();
      for (const { writer, value, storing } of order) {
        await writer.write(value.slice(500_000));
        await writer.close();
        assert.equal(await storing, true);
      }
      for (let tier = 0; tier < 3; tier++) {
        assert.deepStrictEqual(await readAll(await cache.getStream("key")), bytesOfSize(600_002));
        memory.entries.clear();
        if (tier === 1) fast.held.clear();
      }
      await cache.close();
    }
  });

  it("a value that is read while it is replaced is one of both, whole", async () => {
    const { cache, memory } = await open();
    const [old, next] = [bytesOfSize(900_000), bytesOfSize(900_001)];
    await cache.setStream("key", streamOf(old));
    memory.entries.clear();
    const reader = (await cache.getStream("key"))!.getReader();
    const got = [(await reader.read()).value!];
    await cache.setStream("key", streamOf(next));
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      got.push(piece.value);
    }
    assert.deepStrictEqual(joinBytes(got), old);
    await cache.flush();
    assert.deepStrictEqual(await cache.get("key"), next, "the old one was not copied up");
    await cache.close();
  });

  it("ttl and tags hold for streams", async () => {
    const { cache, clock } = await open();
    await cache.setStream("a", streamOf(bytesOfSize(500_000)), { ttl: 10, tags: ["t"] });
    await cache.setStream("b", streamOf(bytesOfSize(500_000)), { ttl: 10, tags: ["u"] });
    clock.advance(9999);
    assert.ok(await readAll(await cache.getStream("a")));
    await cache.deleteByTag("t");
    assert.equal(await cache.getStream("a"), undefined);
    assert.ok(await readAll(await cache.getStream("b")));
    clock.advance(1);
    assert.equal(await cache.getStream("b"), undefined);
    await cache.close();
  });

  it("namespaces keep streams apart", async () => {
    const { cache } = await open();
    const other = cache.namespace("other");
    await cache.setStream("key", streamOf(bytesOfSize(300_000)));
    assert.equal(await other.getStream("key"), undefined);
    await other.setStream("key", streamOf(bytesOfSize(300_001)));
    assert.deepStrictEqual(await readAll(await cache.getStream("key")), bytesOfSize(300_000));
    assert.deepStrictEqual(await readAll(await other.getStream("key")), bytesOfSize(300_001));
    await cache.close();
  });

  it("close() ends streams under way, in both directions", async () => {
    const { cache, memory } = await open();
    await cache.setStream("key", streamOf(bytesOfSize(900_000)));
    memory.entries.clear();
    const reader = (await cache.getStream("key"))!.getReader();
    await reader.read();
    const endless = new ReadableStream<Uint8Array>({
      start: (to) => to.enqueue(bytesOfSize(500_000)),
    });
    const isClosed = (error: unknown): boolean => isCacheError(error, "closed");
    const storing = assert.rejects(cache.setStream("other", endless), isClosed);
    await settle();
    await cache.close();
    await storing;
    await assert.rejects(reader.read(), isClosed);
    await assert.rejects(cache.getStream("key"), isClosed);
    await assert.rejects(cache.setStream("key", streamOf(new Uint8Array(1))), isClosed);
  });

  it("getStats() and events count streams", async () => {
    const { cache, memory } = await open();
    const events: unknown[] = [];
    cache.on("stream", ({ direction, tier, bytes, result }) => {
      events.push([direction, tier, bytes, result]);
    });
    await cache.setStream("key", streamOf(bytesOfSize(900_000)));
    await readAll(await cache.getStream("key"));
    memory.entries.clear();
    await (await cache.getStream("key"))!.cancel();
    await cache.getStream("missing");
    await assert.rejects(cache.setStream("key", streamOf(bytesOfSize(10), new Error("no"))));
    assert.deepStrictEqual(events, [
      ["write", undefined, 900_000, "done"],
      ["read", "memory", 900_000, "done"],
      ["read", "fast", 0, "cancelled"],
      ["write", undefined, 10, "failed"],
    ]);
    const stats = await cache.getStats();
    const { streamReads, streamWrites, streamErrors, streamBytesRead, streamBytesWritten } = stats;
    assert.deepStrictEqual(
      { streamReads, streamWrites, streamErrors, streamBytesRead, streamBytesWritten },
      {
        streamReads: 2,
        streamWrites: 1,
        streamErrors: 1,
        streamBytesRead: 900_000,
        streamBytesWritten: 900_000,
      },
    );
    assert.deepStrictEqual([stats.hits, stats.misses], [2, 1]);
    await cache.close();
  });
});
