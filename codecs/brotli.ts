/**
 * The brotli codec: the format of RFC 7932, by `node:zlib`. Browsers and
 * Workers without that module have no brotli encoder.
 *
 * @example
 * ```ts
 * import { createBrotliCodec } from "@strata/cache/codecs/brotli";
 *
 * const codec = await createBrotliCodec({ level: 9 });
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
import { nodeBrotli } from "./_node_formats.ts";
import { loadNodeZlib } from "./_node_zlib.ts";

/** Options of {@linkcode createBrotliCodec}. */
export interface BrotliCodecOptions {
  /**
   * How hard to try, from 0 (fastest) to 11 (smallest, some hundred times slower).
   * @default 5
   */
  readonly level?: number | undefined;
}

/**
 * Makes the brotli codec.
 *
 * @param options the level.
 * @returns a codec with id 5.
 * @throws {RangeError} when the level is out of range.
 * @throws {CacheError} `"unavailable"` where there is no `node:zlib`.
 *
 * @example
 * ```ts
 * import { createBrotliCodec } from "@strata/cache/codecs/brotli";
 *
 * const codec = await createBrotliCodec();
 * console.assert(codec.name === "brotli" && codec.id === 5);
 * ```
 */
export async function createBrotliCodec(
  options: BrotliCodecOptions = {},
): Promise<Codec> {
  const level = checkLevel(options.level, { codec: "brotli", min: 0, max: 11, fallback: 5 });
  const zlib = await loadNodeZlib();
  if (zlib?.brotliCompressSync !== undefined) return nodeBrotli(zlib, level);
  throw unavailable("brotli", "there is no node:zlib here: use another codec");
}
