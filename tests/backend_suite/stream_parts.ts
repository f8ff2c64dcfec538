import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
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

/** What was made for a length, since the same few lengths are asked for in each suite. */
const made = new Map<number, Uint8Array>();

/** Bytes that do not repeat, other ones for each length. They are the caller's. */
export function bytesOfSize(length: number): Uint8Array {
  let bytes = made.get(length);
  if (bytes === undefined) {
    const random = seededRandom(length + 1);
    const words = new Uint32Array(Math.ceil(length / 4));
    for (let at = 0; at < words.length; at++) words[at] = random() * 2 ** 32;
    made.set(length, bytes = new Uint8Array(words.buffer, 0, length));
  }
  return bytes.slice();
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
  const parts: Uint8Array[] = [];
  for await (const part of read.frame) parts.push(part);
  const whole = Buffer.concat(parts);
  return new Uint8Array(whole.buffer, whole.byteOffset, whole.length);
}
