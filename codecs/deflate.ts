/**
 * The deflate codec: the zlib format of RFC 1950, which
 * `CompressionStream` calls "deflate", by `node:zlib` where there is one, else
 * by `CompressionStream`.
 *
 * @example
 * ```ts
 * import { createDeflateCodec } from "@strata/cache/codecs/deflate";
 *
 * const codec = await createDeflateCodec({ level: 6 });
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
import { nodeDeflate } from "./_node_formats.ts";
import { loadNodeZlib } from "./_node_zlib.ts";
import { streamDeflate } from "./_stream_formats.ts";
import { hasCompressionStreams } from "./_streams.ts";

/** Options of {@linkcode createDeflateCodec}. */
export interface DeflateCodecOptions {
  /**
   * How hard to try, from 1 (fastest) to 9 (smallest). Without effect where
   * only `CompressionStream` is at hand.
   * @default 2
   */
  readonly level?: number | undefined;
}

/**
 * Makes the deflate codec.
 *
 * @param options the level.
 * @returns a codec with id 4.
 * @throws {RangeError} when the level is out of range.
 * @throws {CacheError} `"unavailable"` where the runtime has neither.
 *
 * @example
 * ```ts
 * import { createDeflateCodec } from "@strata/cache/codecs/deflate";
 *
 * const codec = await createDeflateCodec();
 * console.assert(codec.name === "deflate" && codec.id === 4);
 * ```
 */
export async function createDeflateCodec(
  options: DeflateCodecOptions = {},
): Promise<Codec> {
  const level = checkLevel(options.level, { codec: "deflate", min: 1, max: 9, fallback: 2 });
  const zlib = await loadNodeZlib();
  if (zlib?.deflateSync !== undefined) return nodeDeflate(zlib, level);
  if (hasCompressionStreams()) return streamDeflate();
  throw unavailable("deflate", "there is neither node:zlib nor CompressionStream here");
}
