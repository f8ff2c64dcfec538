import type { Codec } from "../src/types.ts";
import { corrupt, wrongSize } from "./_codec_errors.ts";

/** A format as the Compression Streams standard has it. */
export interface StreamFormat {
  readonly name: string;
  readonly id: number;
  /** Its name in the standard. */
  readonly format: CompressionFormat;
  /** Looks at the bytes before they are decoded; throws what is wrong with them. */
  readonly check?: (bytes: Uint8Array, length: number) => void;
  /** Looks at the bytes and what came out of them; throws what is wrong. */
  readonly verify?: (bytes: Uint8Array, decoded: Uint8Array) => void;
}

/** Input of one step. A step of deflate makes at most 1032 times as much, so what a bomb can pile up is 1 MiB. */
const STEP_BYTES = 1024;

/** Whether this runtime has compression streams. */
export function hasCompressionStreams(): boolean {
  return typeof CompressionStream === "function" && typeof DecompressionStream === "function";
}

/** Makes a codec of `CompressionStream` and `DecompressionStream`, which know no levels. */
export function createStreamCodec({ name, id, format, check, verify }: StreamFormat): Codec {
  return {
    name,
    id,
    encode(bytes) {
      // A copy: the caller may change its bytes while the stream still holds them.
      const raw = bytes.slice();
      return collect(new CompressionStream(format), raw, raw.length || 1, Infinity);
    },
    async decode(encoded, { length }) {
      check?.(encoded, length);
      const bytes = encoded.slice();
      let decoded: Uint8Array;
      try {
        decoded = await collect(new DecompressionStream(format), bytes, STEP_BYTES, length);
      } catch (error) {
        if (error instanceof TooLong) throw wrongSize(name, `it yields more than ${length} bytes`);
        throw corrupt(name, "bytes are damaged or incomplete", error);
      }
      if (decoded.length !== length) {
        throw wrongSize(name, `it yields ${decoded.length} bytes, not ${length}`);
      }
      verify?.(bytes, decoded);
      return decoded;
    },
  };
}

class TooLong extends Error {}

/** Runs bytes through a transform, `step` bytes at a time, until more than `limit` have come out. */
async function collect(
  transform: CompressionStream | DecompressionStream,
  bytes: Uint8Array<ArrayBuffer>,
  step: number,
  limit: number,
): Promise<Uint8Array> {
  const fed = feed(transform.writable.getWriter(), bytes, step);
  // The reader meets the same failure; this one must not go unhandled while it does.
  fed.catch(() => {});
  const reader: ReadableStreamDefaultReader<Uint8Array> = transform.readable.getReader();
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    total += value.length;
    if (total > limit) {
      const tooLong = new TooLong();
      await reader.cancel(tooLong);
      throw tooLong;
    }
    chunks.push(value);
  }
  await fed;
  const joined = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}

async function feed(
  writer: WritableStreamDefaultWriter<BufferSource>,
  bytes: Uint8Array<ArrayBuffer>,
  step: number,
): Promise<void> {
  for (let at = 0; at < bytes.length; at += step) {
    await writer.write(bytes.subarray(at, at + step));
  }
  await writer.close();
}
