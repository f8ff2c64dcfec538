import { CacheError } from "../errors.ts";
import { codecById } from "../formats.ts";
import type { MaybePromise } from "../maybe_promise.ts";
import type { Codec } from "../types.ts";
import {
  CHUNK_HEADER_BYTES,
  corrupt,
  decodeStreamHeader,
  type StreamHeader,
} from "./stream_frame.ts";
import { decodeChunk, StreamFrameReader } from "./stream_frame_reader.ts";

/** Streamed frames of more bytes need not be in memory as a whole: they are a miss to `get`. */
export const MAX_WHOLE_FRAME_BYTES: number = 256 * 1024 * 1024;

/** The chunks of a frame, checked and not decoded. */
export interface StreamPayload {
  /** Each as stored, and its length before the codec. */
  readonly chunks: readonly { readonly stored: Uint8Array; readonly rawLength: number }[];
  /** Bytes of the value. */
  readonly rawLength: number;
  /** Id of the codec, 0 for none. */
  readonly codec: number;
}

/**
 * Takes a streamed frame apart that is in memory as a whole, after checking all of it.
 *
 * @throws {CacheError} `"unsupported-format"` for what is not known here, `"corrupt"` for anything else that is not a whole, undamaged frame.
 */
export function decodeWholeStreamFrame(
  frame: Uint8Array,
): { readonly header: StreamHeader; readonly payload: StreamPayload } {
  const header = decodeStreamHeader(frame);
  const reader = new StreamFrameReader(header);
  const chunks: { stored: Uint8Array; rawLength: number }[] = [];
  let at = header.headerLength;
  while (!reader.isEnded) {
    if (frame.length - at < CHUNK_HEADER_BYTES) throw corrupt("it is cut");
    const { length, rawLength } = reader.next(frame.subarray(at));
    if (frame.length - at < length) throw corrupt("it is cut");
    const stored = reader.check(frame.subarray(at, at + length));
    if (stored !== undefined) chunks.push({ stored, rawLength });
    at += length;
  }
  if (at !== frame.length) throw corrupt("something follows its end");
  return { header, payload: { chunks, rawLength: reader.rawLength, codec: header.codec } };
}

/** @throws {CacheError} `"too-large"` for a value that was streamed and may not be in memory as a whole. */
export function assertFitsMemory(rawLength: number, maxBytes: number): void {
  if (rawLength <= maxBytes) return;
  throw new CacheError(
    "too-large",
    `Cannot decode value: it has more than ${maxBytes} bytes: read it with getStream`,
  );
}

/** Puts the chunks of a value together. */
export function joinChunks(payload: StreamPayload): MaybePromise<Uint8Array> {
  if (payload.codec === 0) return joined(payload, undefined) as Uint8Array;
  const codec = codecById(payload.codec);
  if (codec === undefined) {
    throw new CacheError(
      "unsupported-format",
      `Cannot decode value: codec ${payload.codec} is not known here: register it before reading`,
    );
  }
  return codec instanceof Promise
    ? codec.then((loaded) => joined(payload, loaded))
    : joined(payload, codec);
}

function joined(
  { chunks, rawLength }: StreamPayload,
  codec: Codec | undefined,
): MaybePromise<Uint8Array> {
  const value = new Uint8Array(rawLength);
  let at = 0;
  for (let index = 0; index < chunks.length; index++) {
    const { stored, rawLength } = chunks[index]!;
    const raw = decodeChunk(stored, rawLength, codec);
    if (raw instanceof Promise) return joinedLater(value, at, raw, chunks.slice(index + 1), codec);
    value.set(raw, at);
    at += raw.length;
  }
  return value;
}

async function joinedLater(
  value: Uint8Array,
  start: number,
  first: Promise<Uint8Array>,
  rest: StreamPayload["chunks"],
  codec: Codec | undefined,
): Promise<Uint8Array> {
  const raw = await first;
  value.set(raw, start);
  let at = start + raw.length;
  for (const { stored, rawLength } of rest) {
    const raw = await decodeChunk(stored, rawLength, codec);
    value.set(raw, at);
    at += raw.length;
  }
  return value;
}
