import type { Codec } from "../src/types.ts";
import { corrupt, wrongSize } from "./_codec_errors.ts";

/** The module `node:zlib`; older and foreign ones lack some of its functions. */
export type NodeZlib = typeof import("node:zlib");

/** `node:zlib`, or `undefined` in browsers and Workers that have none. */
export async function loadNodeZlib(): Promise<NodeZlib | undefined> {
  try {
    return await import("node:zlib");
  } catch {
    return undefined;
  }
}

/** What the synchronous decoders of `node:zlib` take. */
export interface ZlibDecodeOptions {
  /** Bytes of one output buffer. */
  readonly chunkSize: number;
  /** More output than this is an error. */
  readonly maxOutputLength: number;
  /** Return the engine beside the bytes, for the count of input it used. */
  readonly info: true;
}

/** A format as `node:zlib` has it. */
export interface NodeZlibFormat {
  readonly name: string;
  readonly id: number;
  /** Compresses with output buffers of `chunkSize` bytes. */
  readonly compress: (bytes: Uint8Array, chunkSize: number) => Uint8Array;
  /** Decompresses; with `info` it returns {@linkcode DecodedWithEngine}, though its types say otherwise. */
  readonly decompress: (bytes: Uint8Array, options: ZlibDecodeOptions) => unknown;
  /** Looks at the bytes before they are decoded; throws what is wrong with them. */
  readonly check?: (bytes: Uint8Array, length: number) => void;
}

interface DecodedWithEngine {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

const MIN_CHUNK_BYTES = 64;

/** Longer outputs are put together from buffers of this size. */
const MAX_ENCODE_CHUNK_BYTES = 256 * 1024;

/** Room for headers and checksums of bytes that do not shrink. */
const ENCODE_SLACK_BYTES = 128;

/** The most that one byte of deflate can stand for; what claims more gets its output buffer in steps. */
const LIKELY_MAX_RATIO = 1032;

/** A result may share its buffer with this many bytes of nothing; one is left over by every decode. */
const MAX_SPARE_BYTES = 8;

/** Makes a codec of the synchronous functions of `node:zlib`. */
export function createNodeZlibCodec(format: NodeZlibFormat): Codec {
  const { name, id, compress, check } = format;
  return {
    name,
    id,
    encode(bytes) {
      const chunkSize = Math.min(bytes.length + ENCODE_SLACK_BYTES, MAX_ENCODE_CHUNK_BYTES);
      return own(compress(bytes, chunkSize));
    },
    decode(bytes, { length }) {
      // Deno's brotli takes no bytes for a complete stream.
      if (bytes.length === 0) throw corrupt(name, "there are no bytes");
      check?.(bytes, length);
      const { buffer, engine } = decompress(format, bytes, length);
      if (buffer.length !== length) {
        throw wrongSize(name, `it yields ${buffer.length} bytes, not ${length}`);
      }
      if (engine.bytesWritten !== bytes.length) {
        throw corrupt(name, `${bytes.length - engine.bytesWritten} bytes follow its end`);
      }
      return own(buffer);
    },
  };
}

function decompress(format: NodeZlibFormat, bytes: Uint8Array, length: number): DecodedWithEngine {
  // With room for one byte more than comes out, the decoder needs no second buffer to see the end.
  const chunkSize = Math.max(
    MIN_CHUNK_BYTES,
    Math.min(length + 1, bytes.length * LIKELY_MAX_RATIO),
  );
  try {
    return format.decompress(bytes, {
      chunkSize,
      maxOutputLength: Math.max(1, length),
      info: true,
    }) as DecodedWithEngine;
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    if (code === "ERR_BUFFER_TOO_LARGE") {
      throw wrongSize(format.name, `it yields more than ${length} bytes`, error);
    }
    throw corrupt(format.name, "bytes are damaged or incomplete", error);
  }
}

/** A plain Uint8Array at the start of a buffer that holds nothing else. Node takes small Buffers out of a shared pool. */
function own(bytes: Uint8Array): Uint8Array {
  const { buffer, byteOffset, length } = bytes;
  return byteOffset === 0 && buffer.byteLength - length <= MAX_SPARE_BYTES
    ? new Uint8Array(buffer, 0, length)
    : new Uint8Array(bytes);
}
