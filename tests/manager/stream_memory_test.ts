import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FramePieces } from "../../backends/_frame_pieces.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { bytesFrom, bytesOfSize, framed } from "../backend_suite/stream_parts.ts";
import { countReactions } from "../fakes/count_reactions.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { StreamingBackend } from "../fakes/streaming_backend.ts";

const PIECE_BYTES = 10_000;
const PIECES = 200;

/** Far fewer than there are pieces, and more than any promise needs. */
const FEW = 10;

/** A value in many pieces. */
function manyPieces(bytes = bytesOfSize(PIECES * PIECE_BYTES)): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    parts.push(bytes.slice(at, at + PIECE_BYTES));
  }
  return parts;
}

describe("a stream of many pieces", () => {
  it("keeps none of those that have passed when it is written and read", async () => {
    const clock = new FakeClock();
    const backends = [new StreamingBackend(clock, "fast"), new StreamingBackend(clock, "slow")];
    const cache = await CacheManager.open({ backends, clock });
    const source = bytesFrom(manyPieces());
    const { signal } = new AbortController();
    const written = await countReactions(async () => {
      assert.equal(await cache.setStream("key", source, { signal }), true);
    });
    assert.ok(written <= FEW, `${written} wait for one promise`);
    backends[0]!.held.clear();
    const read = await countReactions(async () => {
      const reader = (await cache.getStream("key", { signal }))!.getReader();
      for (let piece = await reader.read(); !piece.done;) piece = await reader.read();
      await cache.flush();
    });
    assert.ok(read <= FEW, `${read} wait for one promise`);
    assert.equal(backends[0]!.held.size, 1);
    await cache.close();
  });

  it("keeps none of those that have passed when a backend takes it", async () => {
    const value = bytesOfSize(PIECES * PIECE_BYTES);
    const { entry, frame } = framed("key", value, {});
    const { signal } = new AbortController();
    const pieces = new FramePieces({ ...entry, frame: bytesFrom(manyPieces(frame)) }, signal);
    const most = await countReactions(async () => {
      while (await pieces.next() !== undefined);
    });
    assert.equal(pieces.length, frame.length);
    pieces.end();
    assert.ok(most <= FEW, `${most} wait for one promise`);
  });

  it("ends with its signal in the midst of a read", async () => {
    const { entry } = framed("key", bytesOfSize(1000), {});
    const controller = new AbortController();
    const silent = new ReadableStream<Uint8Array>();
    const pieces = new FramePieces({ ...entry, frame: silent }, controller.signal);
    const reading = pieces.next();
    const reason = new Error("no more");
    controller.abort(reason);
    await assert.rejects(reading, (error) => error === reason);
    assert.deepStrictEqual(pieces.failure, { reason });
    pieces.end();
  });
});
