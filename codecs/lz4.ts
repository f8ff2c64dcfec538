/**
 * The LZ4 codec: the fastest one. It writes the format of `lz4-wasm`: the raw
 * length in 4 bytes, little-endian, and one LZ4 block.
 *
 * `lz4-wasm-nodejs` does the work; where it cannot be loaded (browsers,
 * Workers, Deno without read permission) plain TypeScript does, in the same format.
 *
 * @example
 * ```ts
 * import { createLz4Codec } from "@strata/cache/codecs/lz4";
 *
 * const codec = await createLz4Codec();
 * const raw = new TextEncoder().encode("to be or not to be, ".repeat(100));
 * const packed = await codec.encode(raw);
 * const restored = await codec.decode(packed, { length: raw.length });
 * console.assert(packed.length < 100 && restored.length === raw.length);
 * ```
 *
 * @module
 */

import type { Codec } from "../src/types.ts";
import { lz4CodecOver } from "./_lz4_codec.ts";
import { loadLz4Wasm } from "./_lz4_wasm.ts";

/**
 * Makes the LZ4 codec.
 *
 * @returns a codec with id 1.
 *
 * @example
 * ```ts
 * import { createLz4Codec } from "@strata/cache/codecs/lz4";
 *
 * const codec = await createLz4Codec();
 * console.assert(codec.name === "lz4" && codec.id === 1);
 * ```
 */
export async function createLz4Codec(): Promise<Codec> {
  return lz4CodecOver(await loadLz4Wasm());
}
