/**
 * The gzip codec: the format of RFC 1952, by `node:zlib` where
 * there is one, else by `CompressionStream`.
 *
 * @example
 * ```ts
 * import { createGzipCodec } from "@strata/cache/codecs/gzip";
 *
 * const codec = await createGzipCodec({ level: 6 });
 * const raw = new TextEncoder().encode("to be or not to be, ".repeat(100));
 * const packed = await codec.encode(raw);
 * const restored = await codec.decode(packed, { length: raw.length });
 * console.assert(packed.length < 100 && restored.length === raw.length);
 * ```
 *
 * @module
 */

import type { Codec } from "../src/types.ts";
import { unavailable } from "./_codec_errors.ts";
import { checkLevel } from "./_level.ts";
import { nodeGzip } from "./_node_formats.ts";
import { loadNodeZlib } from "./_node_zlib.ts";
import { streamGzip } from "./_stream_formats.ts";
import { hasCompressionStreams } from "./_streams.ts";

/** Options of {@linkcode createGzipCodec}. */
export interface GzipCodecOptions {
  /**
   * How hard to try, from 1 (fastest) to 9 (smallest). Without effect where
   * only `CompressionStream` is at hand.
   * @default 2
   */
  readonly level?: number | undefined;
}

/**
 * Makes the gzip codec.
 *
 * @param options the level.
 * @returns a codec with id 3.
 * @throws {RangeError} when the level is out of range.
 * @throws {CacheError} `"unavailable"` where the runtime has neither.
 *
 * @example
 * ```ts
 * import { createGzipCodec } from "@strata/cache/codecs/gzip";
 *
 * const codec = await createGzipCodec();
 * console.assert(codec.name === "gzip" && codec.id === 3);
 * ```
 */
export async function createGzipCodec(
  options: GzipCodecOptions = {},
): Promise<Codec> {
  const level = checkLevel(options.level, { codec: "gzip", min: 1, max: 9, fallback: 2 });
  const zlib = await loadNodeZlib();
  if (zlib?.gzipSync !== undefined) return nodeGzip(zlib, level);
  if (hasCompressionStreams()) return streamGzip();
  throw unavailable("gzip", "there is neither node:zlib nor CompressionStream here");
}
