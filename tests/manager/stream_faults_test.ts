import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { isCacheError } from "../../src/errors.ts";
import { setImmediate } from "node:timers";
import { registerCodec } from "../../src/formats.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import type {
  CacheBackend,
  FrameReadOptions,
  StoredFrame,
  VersionedOutcome,
} from "../../src/types.ts";
import { bytesFrom, bytesOfSize } from "../backend_suite/stream_parts.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { StreamingBackend } from "../fakes/streaming_backend.ts";
import { watchEvents } from "../fakes/watch_events.ts";

/** Takes streams and never reads them. */
class HungBackend extends StreamingBackend {
  override setStream(): Promise<VersionedOutcome> {
    return new Promise(() => {});
  }
}

/** Refuses streams. */
class FailingBackend extends StreamingBackend {
  override setStream(): Promise<VersionedOutcome> {
    return Promise.reject(new Error("out of order"));
  }
}

/** Reads so many bytes, and then fails as a connection of `fetch` does. */
class BrokenBackend extends StreamingBackend {
  readsUpTo = Infinity;

  override async getStream(
    key: string,
    options?: FrameReadOptions,
  ): Promise<StoredFrame | undefined> {
    const read = await super.getStream(key, options);
    if (read === undefined) return undefined;
    let left = this.readsUpTo;
    const breaking = new TransformStream<Uint8Array, Uint8Array>({
      transform: (piece, controller) => {
        if (left < piece.length) throw new TypeError("terminated");
        left -= piece.length;
        controller.enqueue(piece);
      },
    });
    return { ...read, frame: read.frame.pipeThrough(breaking) };
  }
}

/** Has its value replaced by one of another length before a range of it is read, so often. */
class ReplacingBackend extends StreamingBackend {
  /** The frames that take turns. */
  readonly frames: Uint8Array[] = [];
  replacements = 0;

  override getStream(key: string, options?: FrameReadOptions): Promise<StoredFrame | undefined> {
    const held = this.held.get(key);
    if (held !== undefined && (options?.range?.offset ?? 0) > 0 && this.replacements > 0) {
      this.replacements--;
      const frame = this.frames.find(({ length }) => length !== held.frame.length)!;
      this.held.set(key, { ...held, frame });
    }
    return super.getStream(key, options);
  }
}

/** Compresses well, and decodes to what it is told to. */
const BOMB = {
  name: "bomb",
  id: 205,
  gives: (length: number): unknown => new Uint8Array(length),
  encode: () => Uint8Array.of(1),
  decode(_bytes: Uint8Array, { length }: { readonly length: number }): Promise<Uint8Array> {
    return Promise.resolve(this.gives(length) as Uint8Array);
  },
};

const VALUE = bytesOfSize(3_000_000);

/** The value in pieces of 100,000 bytes. */
function source(): ReadableStream<Uint8Array> {
  const parts = Array.from(
    { length: 30 },
    (_, at) => VALUE.slice(at * 100_000, (at + 1) * 100_000),
  );
  return bytesFrom(parts);
}

/** A cache over a first tier and one that works, and the errors of its tiers. */
async function openWith<B extends StreamingBackend>(first: (clock: FakeClock) => B) {
  const clock = new FakeClock();
  const fast = first(clock);
  const slow = new StreamingBackend(clock, "slow");
  const backends: CacheBackend[] = [fast, slow];
  const cache = await CacheManager.open({ backends, clock });
  return { cache, clock, fast, slow };
}

/** Reads all of a stream. */
async function readAll(stream: ReadableStream<Uint8Array> | undefined): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream!).arrayBuffer());
}

/** Changes a byte of what a tier holds. */
function damage({ held }: StreamingBackend, at: number): void {
  held.get("key")!.frame[at]! ^= 1;
}

describe("streams through tiers that are at fault", () => {
  it("setStream() leaves a tier behind that takes nothing, and one that fails", async () => {
    for (const Faulty of [HungBackend, FailingBackend]) {
      const { cache, clock, fast, slow } = await openWith((clock) => new Faulty(clock, "fast"));
      let isOver = false;
      const storing = cache.setStream("key", source()).finally(() => isOver = true);
      for (let turn = 0; turn < 1000 && !isOver; turn++) {
        await clock.advanceAsync(100);
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(await storing, false);
      assert.equal(fast.held.size, 0);
      assert.equal(slow.held.size, 1);
      assert.deepStrictEqual(await readAll(await cache.getStream("key")), VALUE);
      // The copy that the read began has its deadline too.
      const closing = cache.close();
      await clock.advanceAsync(10_000);
      await closing;
    }
  });

  it("getStream() falls over to the next tier when the first chunk is damaged", async () => {
    const { cache, fast } = await openWith((clock) => new StreamingBackend(clock, "fast"));
    await cache.setStream("key", source());
    const corrupt: string[] = [];
    cache.on("corrupt", ({ tier }) => corrupt.push(tier));
    damage(fast, 1000);
    assert.deepStrictEqual(await readAll(await cache.getStream("key")), VALUE);
    await cache.flush();
    assert.deepStrictEqual(corrupt, ["fast"]);
    await cache.close();
  });

  it("getStream() falls over to the next tier when the first one breaks off before a chunk is there", async () => {
    const { cache, fast } = await openWith((clock) => new BrokenBackend(clock, "fast"));
    await cache.setStream("key", source());
    (fast as BrokenBackend).readsUpTo = 0;
    const errors: string[] = [];
    cache.on("tierError", ({ tier }) => errors.push(tier));
    for (const range of [{}, { offset: 5000, length: 10 }]) {
      const { offset = 0, length = Infinity } = range;
      const read = await readAll(await cache.getStream("key", range));
      assert.deepStrictEqual(read, VALUE.subarray(offset, offset + length));
    }
    assert.deepStrictEqual(errors, ["fast", "fast"]);
    await cache.close();
  });

  it("getStream() reads a range again when the value is replaced meanwhile, three times in all", async () => {
    const { cache, fast, slow } = await openWith((clock) => new ReplacingBackend(clock, "fast"));
    for (const length of [2_000_000, VALUE.length]) {
      await cache.setStream("key", bytesFrom([VALUE.slice(0, length)]));
      fast.frames.push(fast.held.get("key")!.frame);
    }
    const errors = watchEvents(cache, "tierError");
    const range = { offset: 1_000_000, length: 500_000 };
    const read = async (replacements: number): Promise<boolean | undefined> => {
      fast.replacements = replacements;
      const stream = await cache.getStream("key", range);
      if (stream === undefined) return undefined;
      return Buffer.from(await readAll(stream)).equals(VALUE.subarray(1_000_000, 1_500_000));
    };

    const { held } = slow;
    const copy = held.get("key")!;
    held.clear();
    assert.equal(await read(2), true);
    assert.deepEqual(errors, []);
    assert.equal(await read(3), undefined, "no other tier has it");
    held.set("key", copy);
    assert.equal(await read(3), true, "the next tier has it");
    const failed = errors.map(({ tier, error }) => [tier, isCacheError(error, "replaced")]);
    assert.deepEqual(failed, [["fast", true], ["fast", true]]);
    assert.ok(fast.held.has("key"), "it is not damaged");
    assert.equal(await read(0), true);
    await cache.close();
  });

  it("a codec that gives another length, or no bytes at all, is a miss or a named failure", async () => {
    registerCodec(BOMB);
    const text = new TextEncoder().encode("some words again and again ".repeat(40_000));
    const clock = new FakeClock();
    const bombs = [(length: number) => new Uint8Array(64 * length), () => undefined, () => null];
    for (const gives of bombs) {
      BOMB.gives = gives;
      const only = new StreamingBackend(clock, "only");
      const cache = await CacheManager.open({ backends: [only], clock, compression: BOMB });
      for (const read of ["stream", "range", "value"]) {
        await cache.setStream("key", bytesFrom([text.slice()]));
        const found = read === "value"
          ? await cache.get("key")
          : await cache.getStream("key", read === "range" ? { offset: 10 } : {});
        assert.equal(found, undefined, read);
        await cache.flush();
        assert.equal(only.held.size, 0, "it is of no use");
      }
      await cache.set("key", text);
      assert.equal(await cache.get("key"), undefined);
      await cache.close();
    }
  });

  it("getStream() misses a range up to the end of a frame that is cut, however little of it is gone", async () => {
    const only = new StreamingBackend(new FakeClock(), "only");
    const cache = await CacheManager.open({ backends: [only] });
    for (const size of [300_000, 600_000]) {
      for (const gone of [1, 15, 31, 32, 33, 47, 48, 49]) {
        await cache.setStream("key", bytesFrom([bytesOfSize(size)]));
        const held = only.held.get("key")!;
        only.held.set("key", { ...held, frame: held.frame.slice(0, -gone) });
        const stream = await cache.getStream("key", { offset: size - 1000 });
        const read = await (stream && readAll(stream))?.catch((error) => error);
        assert.ok(read === undefined || isCacheError(read, "corrupt"), `${size} without ${gone}`);
      }
    }
    await cache.close();
  });

  it("getStream() fails on damage in mid-stream, and the entry goes", async () => {
    const { cache, fast } = await openWith((clock) => new StreamingBackend(clock, "fast"));
    await cache.setStream("key", source());
    damage(fast, 2_000_000);
    const reading = readAll(await cache.getStream("key"));
    await assert.rejects(reading, (error) => isCacheError(error, "corrupt"));
    await cache.flush();
    assert.equal(fast.held.size, 0);
    assert.deepStrictEqual(await readAll(await cache.getStream("key")), VALUE);
    await cache.flush();
    assert.equal(fast.held.size, 1, "it was copied from below");
    await cache.close();
  });
});
