import { BUILTIN_CODECS } from "../../src/builtins.ts";
import { crc32Portable } from "../../src/entry/checksum.ts";
import { encodeFrame, type Payload } from "../../src/entry/frame.ts";
import {
  CHUNK_HEADER_BYTES,
  chunkRoom,
  encodeEnd,
  encodeStreamHeader,
  sealChunk,
  type StreamLayout,
} from "../../src/entry/stream_frame.ts";
import { codecByName } from "../../src/formats.ts";
import type { Codec } from "../../src/types.ts";
import { joinBytes, METADATA } from "./stream_frames.ts";

/** Makes what stands where a frame of a key should. */
export type HostileFrame = (key: string) => Uint8Array;

/** What bombs decode to. */
export const BOMB_BYTES: number = 64 * 1024 * 1024;

/** The bomb of the codec that shrinks the least has room in one. */
const SLOT_BYTES = 512 * 1024;
const MOST = 0xffff_ffff;
const WORDS: Uint8Array = new TextEncoder().encode("some words again and again ".repeat(200));

/** A frame with some of its bytes changed and both sums made right again, as an attacker would. */
export function forgedFrame(
  from: Uint8Array,
  change: (view: DataView, frame: Uint8Array) => void,
): Uint8Array {
  const frame = from.slice();
  const view = new DataView(frame.buffer);
  change(view, frame);
  view.setUint32(56, crc32Portable(frame.subarray(64)), true);
  view.setUint32(60, crc32Portable(frame.subarray(0, 60)), true);
  return frame;
}

/** Everything that may stand in a store under a key of ours and is of no use, by what is wrong with it. */
export async function hostileFrames(): Promise<ReadonlyMap<string, HostileFrame>> {
  const frames = new Map<string, HostileFrame>(
    Object.entries({ ...NO_FRAMES, ...WHOLE, ...STREAMED }),
  );
  // Not those that other tests have registered: where all run in one process, some never end.
  for (const name of Object.keys(BUILTIN_CODECS)) {
    const codec = await codecByName(name);
    const bomb = await codec.encode(new Uint8Array(BOMB_BYTES));
    const words = await codec.encode(WORDS);
    for (const [what, frame] of Object.entries(bombs(codec, bomb, words))) {
      frames.set(`${name}: ${what}`, frame);
    }
  }
  return frames;
}

const NO_FRAMES: Record<string, HostileFrame> = {
  "nothing": () => new Uint8Array(0),
  "a byte": () => Uint8Array.of(0x53),
  "a text": () => new TextEncoder().encode("<!doctype html><title>Welcome</title>".repeat(20)),
  "a header and no more": (key) => whole(key).slice(0, 64),
  "zeros": () => new Uint8Array(1000),
};

const WHOLE: Record<string, HostileFrame> = {
  "a later version": (key) => forgedFrame(whole(key), (view) => view.setUint8(4, 9)),
  "an unknown codec": (key) => whole(key, { codec: 77, rawLength: 10_000 }),
  "an unknown serializer": (key) => whole(key, { serializer: 77, dtype: 0 }),
  "an unknown type": (key) => forgedFrame(whole(key), (view) => view.setUint8(7, 99)),
  "a wrong sum of the header": (key) => flipped(whole(key), 20),
  "a wrong sum of the body": (key) => flipped(whole(key), 100),
  "a payload of 4 GiB": (key) =>
    forgedFrame(whole(key), (view) => {
      view.setUint32(8, MOST, true);
      view.setUint32(12, MOST, true);
    }),
  "a key of 4 GiB": (key) => forgedFrame(whole(key), (view) => view.setUint32(48, MOST, true)),
  "lengths that are 0 in 32 bits": (key) =>
    forgedFrame(whole(key), (view) => {
      view.setUint32(8, MOST, true);
      view.setUint32(12, MOST, true);
      view.setUint32(48, WORDS.length + key.length + 1, true);
    }),
  "tags beyond its end": (key) =>
    forgedFrame(whole(key), (view) => view.setUint16(52, 65_535, true)),
  "another key": (key) => whole(`${key} 2`),
  "half of a frame": (key) => whole(key).slice(0, 1000),
  "more than a frame": (key) => joinBytes([whole(key), Uint8Array.of(0)]),
};

const STREAMED: Record<string, HostileFrame> = {
  "a stream of an unknown codec": (key) => streamed(key, 77, [{ bytes: WORDS, length: 10_000 }]),
  "a stream of no slots": (key) => streamed(key, 0, [], 0),
  "a stream of slots of 4 GiB": (key) => streamed(key, 0, [], 0xffff_ffc0),
  "a stream of another key": (key) => streamed(`${key} 2`, 0, [{ bytes: WORDS }]),
  "a stream with a key of 4 GiB": (key) =>
    forgedFrame(streamed(key, 0, []), (view) => view.setUint32(48, MOST, true)),
  "a stream with a wrong sum": (key) => flipped(streamed(key, 0, [{ bytes: WORDS }]), -100),
  "a stream without its end": (key) => streamed(key, 0, [{ bytes: WORDS }]).slice(0, -32),
  "a stream that goes on": (key) =>
    joinBytes([streamed(key, 0, [{ bytes: WORDS }]), new Uint8Array(100)]),
  "a stream whose chunk claims 4 GiB": (key) =>
    streamed(key, 0, [{ bytes: WORDS, length: MOST, stored: MOST }]),
  "a stream whose chunk claims more than there is": (key) =>
    streamed(key, 0, [{ bytes: WORDS, length: 1_000_000, stored: 1_000_000 }]),
  "a stream whose chunk stands elsewhere": (key) => streamed(key, 0, [{ bytes: WORDS, index: 1 }]),
  "a stream with a chunk too many": (key) => streamed(key, 0, [{ bytes: WORDS }, { bytes: WORDS }]),
  "a stream whose end claims more": (key) =>
    streamed(key, 0, [{ bytes: WORDS }], SLOT_BYTES, 2 ** 53),
  "a stream whose second chunk is damaged": (key) => {
    const first = new Uint8Array(chunkRoom(layoutOf(key, 0), 0));
    return flipped(streamed(key, 0, [{ bytes: first }, { bytes: WORDS }]), -100);
  },
};

function bombs(codec: Codec, bomb: Uint8Array, words: Uint8Array): Record<string, HostileFrame> {
  const { id } = codec;
  const room = (key: string, index = 0): number => chunkRoom(layoutOf(key, id), index);
  return {
    "a bomb": (key) => whole(key, { bytes: bomb, codec: id, rawLength: BOMB_BYTES }),
    "a bomb that claims little": (key) => whole(key, { bytes: bomb, codec: id, rawLength: 1000 }),
    "a claim of 4 GiB": (key) => whole(key, { bytes: words, codec: id, rawLength: MOST }),
    "a claim that is too high": (key) =>
      whole(key, { bytes: words, codec: id, rawLength: 1_000_000 }),
    "no bytes of it": (key) => whole(key, { bytes: WORDS, codec: id, rawLength: 1_000_000 }),
    "a bomb as a chunk": (key) => streamed(key, id, [{ bytes: bomb, length: room(key) }]),
    "a chunk that claims too much": (key) =>
      streamed(key, id, [{ bytes: words, length: room(key) }]),
    "no bytes of it in a chunk": (key) => streamed(key, id, [{ bytes: WORDS, length: room(key) }]),
    "a bomb as the second chunk": (key) =>
      streamed(key, id, [
        { bytes: new Uint8Array(room(key)) },
        { bytes: bomb, length: room(key, 1) },
      ]),
  };
}

/** A frame of a payload that may lie, with right sums. */
function whole(key: string, payload: Partial<Payload> = {}): Uint8Array {
  const bytes = payload.bytes ?? WORDS;
  const told = { rawLength: bytes.length, serializer: 0, codec: 0, dtype: 1, ...payload, bytes };
  return encodeFrame(key, METADATA, told);
}

/** A chunk, and what it says of itself. */
interface Chunk {
  readonly bytes: Uint8Array;
  /** Length before the codec. */
  readonly length?: number;
  /** Length as stored. */
  readonly stored?: number;
  readonly index?: number;
}

/** A streamed frame of chunks that may lie, with right sums. */
function streamed(
  key: string,
  codec: number,
  chunks: readonly Chunk[],
  slotBytes: number = SLOT_BYTES,
  rawLength?: number,
): Uint8Array {
  const layout = layoutOf(key, codec, slotBytes);
  const parts = [encodeStreamHeader(key, METADATA, layout)];
  let [raw, stored] = [0, 0];
  for (const [at, { bytes, length = bytes.length, index = at, ...claim }] of chunks.entries()) {
    const chunk = new Uint8Array(CHUNK_HEADER_BYTES + bytes.length);
    chunk.set(bytes, CHUNK_HEADER_BYTES);
    sealChunk(chunk, layout, index, length);
    if (claim.stored !== undefined) new DataView(chunk.buffer).setUint32(0, claim.stored, true);
    parts.push(chunk);
    raw += length;
    stored += bytes.length;
  }
  parts.push(encodeEnd(layout, chunks.length, rawLength ?? raw, stored));
  return joinBytes(parts);
}

function layoutOf(key: string, codec: number, slotBytes: number = SLOT_BYTES): StreamLayout {
  const headerLength = Math.ceil((64 + key.length) / 64) * 64;
  return { headerLength, slotBytes, codec, id: 0x01020304 };
}

function flipped(frame: Uint8Array, at: number): Uint8Array {
  const copy = frame.slice();
  copy[at < 0 ? copy.length + at : at]! ^= 1;
  return copy;
}
