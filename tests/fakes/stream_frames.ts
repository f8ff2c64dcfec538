import { encodeStreamHeader, streamHeaderLength } from "../../src/entry/stream_frame.ts";
import { StreamFrameWriter } from "../../src/entry/stream_frame_writer.ts";
import type { EntryMetadata } from "../../src/entry/frame.ts";
import type { Codec } from "../../src/types.ts";

/** Options of {@linkcode streamFrameOf}. */
export interface StreamFrameOptions {
  /** @default lives for ever, version 1, no tags */
  readonly metadata?: Partial<EntryMetadata>;
  /** @default none */
  readonly codec?: Codec;
  /** @default 128 */
  readonly slotBytes?: number;
  /** @default 0x01020304 */
  readonly id?: number;
}

/** What frames of tests say of their entry: it lives for ever. */
export const METADATA: EntryMetadata = {
  createdAt: 1_700_000_000_000,
  expiresAt: Infinity,
  staleUntil: Infinity,
  version: 1,
  tags: [],
};

/** A streamed frame in parts: its header, its chunks, its end. */
export async function streamFrameParts(
  key: string,
  value: Uint8Array,
  options: StreamFrameOptions = {},
): Promise<Uint8Array[]> {
  const { codec, slotBytes = 128, id = 0x01020304 } = options;
  const metadata = { ...METADATA, ...options.metadata };
  const headerLength = streamHeaderLength(key, metadata.tags);
  const writer = new StreamFrameWriter({ headerLength, codec, slotBytes, id });
  const parts: Uint8Array[] = [];
  for (let at = 0; at < value.length;) {
    at += writer.take(value.subarray(at));
    if (writer.isFull || at === value.length) parts.push((await writer.seal()).bytes);
  }
  return [encodeStreamHeader(key, metadata, writer.layout), ...parts, writer.end()];
}

/** A streamed frame of a value. */
export async function streamFrameOf(
  key: string,
  value: Uint8Array,
  options?: StreamFrameOptions,
): Promise<Uint8Array> {
  return joinBytes(await streamFrameParts(key, value, options));
}

/** Pieces of bytes as one. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
