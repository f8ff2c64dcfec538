import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isCacheError } from "../../src/errors.ts";
import { setImmediate } from "node:timers";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import type { CacheBackend, VersionedOutcome } from "../../src/types.ts";
import { bytesFrom, bytesOfSize } from "../backend_suite/stream_parts.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { StreamingBackend } from "../fakes/streaming_backend.ts";

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
async function openWith(first: (clock: FakeClock) => StreamingBackend) {
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
