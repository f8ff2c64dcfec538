/**
 * The zstd codec: frames of RFC 8878, by `node:zlib` where it has them,
 * else by `@hpcc-js/wasm-zstd`, which is loaded only then. Each reads what the
 * other wrote.
 *
 * @example
 * ```ts
 * import { createZstdCodec } from "@strata/cache/codecs/zstd";
 *
 * const codec = await createZstdCodec({ level: 5 });
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
import { nodeZstd } from "./_node_formats.ts";
import { loadNodeZlib } from "./_node_zlib.ts";
import { loadWasmZstd } from "./_zstd_wasm.ts";

/** Options of {@linkcode createZstdCodec}. */
export interface ZstdCodecOptions {
  /**
   * How hard to try, from 1 (fastest) to 22 (smallest, takes hundreds of MiB).
   * @default 3
   */
  readonly level?: number | undefined;
}

/**
 * Makes the zstd codec.
 *
 * @param options the level.
 * @returns a codec with id 2.
 * @throws {RangeError} when the level is out of range.
 * @throws {CacheError} `"unavailable"` where neither can be loaded.
 *
 * @example
 * ```ts
 * import { createZstdCodec } from "@strata/cache/codecs/zstd";
 *
 * const codec = await createZstdCodec();
 * console.assert(codec.name === "zstd" && codec.id === 2);
 * ```
 */
export async function createZstdCodec(
  options: ZstdCodecOptions = {},
): Promise<Codec> {
  const level = checkLevel(options.level, { codec: "zstd", min: 1, max: 22, fallback: 3 });
  const zlib = await loadNodeZlib();
  if (zlib?.zstdCompressSync !== undefined) return nodeZstd(zlib, level);
  try {
    return await loadWasmZstd(level);
  } catch (error) {
    throw unavailable("zstd", "neither node:zlib nor @hpcc-js/wasm-zstd has it here", error);
  }
}
