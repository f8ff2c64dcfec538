import type { Codec } from "../src/types.ts";
import { corrupt, wrongSize } from "./_codec_errors.ts";
import { decodeLz4, encodeLz4 } from "./_lz4_block.ts";
import type { Lz4Wasm } from "./_lz4_wasm.ts";

const NAME = "lz4";
const PREFIX_BYTES = 4;

/** No byte of a block stands for more than this many. */
const MAX_RATIO = 255;

/**
 * Longer values are left to TypeScript: the memory of a WebAssembly module
 * never shrinks, and one value of 256 MiB would hold half a gigabyte for good.
 */
const MAX_WASM_BYTES = 16 * 1024 * 1024;

/** The codec over the WebAssembly build, or over TypeScript alone. */
export function lz4CodecOver(wasm: Lz4Wasm | undefined): Codec {
  return {
    name: NAME,
    id: 1,
    encode(bytes) {
      return wasm !== undefined && bytes.length <= MAX_WASM_BYTES
        ? wasm.compress(bytes)
        : encodeLz4(bytes);
    },
    decode(bytes, { length }) {
      checkClaims(bytes, length);
      if (wasm === undefined || length > MAX_WASM_BYTES) return decodeLz4(bytes, length);
      try {
        return wasm.decompress(bytes);
      } catch (error) {
        throw corrupt(NAME, "its block is damaged", error);
      }
    },
  };
}

/** The package allocates whatever the prefix claims, so that it is compared first. */
function checkClaims(bytes: Uint8Array, length: number): void {
  if (bytes.length <= PREFIX_BYTES) throw corrupt(NAME, "it is too short for a block");
  const claimed = (bytes[0]! | bytes[1]! << 8 | bytes[2]! << 16 | bytes[3]! << 24) >>> 0;
  if (claimed !== length) throw wrongSize(NAME, `it claims ${claimed} bytes, not ${length}`);
  if (length > bytes.length * MAX_RATIO) {
    throw wrongSize(NAME, `${bytes.length} bytes cannot yield ${length}`);
  }
}
