/** The two functions of the package `lz4-wasm-nodejs`. */
export interface Lz4Wasm {
  /** Compresses into the raw length, 4 bytes little-endian, and one LZ4 block. */
  readonly compress: (bytes: Uint8Array) => Uint8Array;
  /** Allocates what the prefix claims, then throws a string when the block yields another length. */
  readonly decompress: (bytes: Uint8Array) => Uint8Array;
}

/** The WebAssembly build of LZ4, or `undefined` where it cannot be loaded: it reads its binary from a file. */
export async function loadLz4Wasm(): Promise<Lz4Wasm | undefined> {
  try {
    const { compress, decompress } = await import("lz4-wasm-nodejs");
    return { compress, decompress };
  } catch {
    return undefined;
  }
}
