import type { Codec } from "../src/types.ts";
import { createStreamCodec } from "./_streams.ts";
import { checkDeflateRatio, checkGzip } from "./_zlib_checks.ts";

/** gzip by compression streams. */
export function streamGzip(): Codec {
  return createStreamCodec({ name: "gzip", id: 3, format: "gzip", check: checkGzip });
}

/** The zlib format by compression streams, which call it "deflate". */
export function streamDeflate(): Codec {
  return createStreamCodec({
    name: "deflate",
    id: 4,
    format: "deflate",
    check: (bytes, length) => checkDeflateRatio("deflate", bytes, length),
  });
}
