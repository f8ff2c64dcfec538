import type { Codec } from "../src/types.ts";
import { createNodeZlibCodec, type NodeZlib } from "./_node_zlib.ts";
import { checkGzip, checkZlib } from "./_zlib_checks.ts";
import { checkZstdFrame } from "./_zstd_frame.ts";

/** gzip by `node:zlib`. */
export function nodeGzip(zlib: NodeZlib, level: number): Codec {
  return createNodeZlibCodec({
    name: "gzip",
    id: 3,
    compress: (bytes, chunkSize) => zlib.gzipSync(bytes, { level, chunkSize }),
    decompress: (bytes, options) => zlib.gunzipSync(bytes, options),
    check: checkGzip,
  });
}

/** The zlib format by `node:zlib`. */
export function nodeDeflate(zlib: NodeZlib, level: number): Codec {
  return createNodeZlibCodec({
    name: "deflate",
    id: 4,
    compress: (bytes, chunkSize) => zlib.deflateSync(bytes, { level, chunkSize }),
    decompress: (bytes, options) => zlib.inflateSync(bytes, options),
    check: checkZlib,
  });
}

/** brotli by `node:zlib`. */
export function nodeBrotli(zlib: NodeZlib, quality: number): Codec {
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT } = zlib.constants;
  return createNodeZlibCodec({
    name: "brotli",
    id: 5,
    compress: (bytes, chunkSize) =>
      zlib.brotliCompressSync(bytes, {
        chunkSize,
        params: { [BROTLI_PARAM_QUALITY]: quality, [BROTLI_PARAM_SIZE_HINT]: bytes.length },
      }),
    decompress: (bytes, options) => zlib.brotliDecompressSync(bytes, options),
  });
}

/** zstd by `node:zlib`, which Node has from 22.15 on. */
export function nodeZstd(zlib: NodeZlib, level: number): Codec {
  const params = { [zlib.constants.ZSTD_c_compressionLevel]: level };
  return createNodeZlibCodec({
    name: "zstd",
    id: 2,
    compress: (bytes, chunkSize) => {
      // Deno's frames state their size only when it is pledged; its types do not know the option.
      const options = { chunkSize, params, pledgedSrcSize: bytes.length };
      return zlib.zstdCompressSync(bytes, options);
    },
    decompress: (bytes, options) => zlib.zstdDecompressSync(bytes, options),
    check: checkZstdFrame,
  });
}
