import assert from "node:assert/strict";
import type { CacheBackend, StoredFrame, StreamedEntry } from "../../src/types.ts";
import { entryOf, type EntryOptions } from "../fakes/entries.ts";
import { seededRandom } from "../fakes/seeded_random.ts";

/** What a backend that moves streams has. */
export type Streaming =
  & CacheBackend
  & Required<Pick<CacheBackend, "setStream" | "getStream">>;

/** A backend that must be able to move streams. */
export function streaming(backend: CacheBackend): Streaming {
  assert.ok(backend.setStream !== undefined && backend.getStream !== undefined);
  return backend as Streaming;
}

/** Bytes that do not repeat, other ones for each length. */
export function bytesOfSize(length: number): Uint8Array {
  const random = seededRandom(length + 1);
  const words = Uint32Array.from({ length: Math.ceil(length / 4) }, () => random() * 2 ** 32);
  return new Uint8Array(words.buffer, 0, length).slice();
}

/** An entry of bytes that waits for the stream of its frame. */
export function framed(
  key: string,
  value: Uint8Array,
  options: EntryOptions,
): { entry: Omit<StreamedEntry, "frame">; frame: Uint8Array } {
  const entry = entryOf(key, value, options);
  const { createdAt, expiresAt, staleUntil, version, tags } = entry;
  const frame = entry.encode() as Uint8Array;
  const frameLength = frame.length;
  return {
    entry: { key, createdAt, expiresAt, staleUntil, version, tags, frameLength },
    frame,
  };
}

/** Cuts bytes into pieces of all sizes, some of them views and some empty. */
export function pieces(bytes: Uint8Array, random: () => number): Uint8Array[] {
  const cut: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Math.floor(2 ** (random() * 19)) - 1;
    const piece = bytes.subarray(at, at + length);
    cut.push(random() < 0.5 ? piece : piece.slice());
    at += length;
  }
  return cut;
}

/** A stream of pieces, which then closes, or fails with an error. Each piece is made when it is asked for. */
export function bytesFrom(
  parts: readonly Uint8Array[],
  error?: Error,
): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (at < parts.length) controller.enqueue(parts[at++]!);
      else if (error !== undefined) controller.error(error);
      else controller.close();
    },
  }, { highWaterMark: 0 });
}

/** All bytes of a frame that was read, `undefined` for a miss. */
export async function readFrame(read: StoredFrame | undefined): Promise<Uint8Array | undefined> {
  if (read === undefined) return undefined;
  return new Uint8Array(await new Response(read.frame).arrayBuffer());
}
