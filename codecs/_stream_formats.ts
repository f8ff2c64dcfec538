import type { Codec } from "../src/types.ts";
import { createStreamCodec } from "./_streams.ts";
import { checkAdler32, checkGzip, checkZlib } from "./_zlib_checks.ts";

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
    check: checkZlib,
    // Deno's stream does not miss a checksum that is not there.
    verify: checkAdler32,
  });
}
