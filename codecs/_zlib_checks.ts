import { corrupt, wrongSize } from "./_codec_errors.ts";

/** Header of 10 bytes, an empty block of 2 at least, trailer of 8. */
const MIN_GZIP_BYTES = 20;

/** Header of 2 bytes, an empty block of 2 at least, checksum of 4. */
const MIN_ZLIB_BYTES = 8;

/** No byte of deflate stands for more than this many. */
const MAX_DEFLATE_RATIO = 1032;

/** Refuses gzip (RFC 1952) whose trailer names another length, before it is decoded. */
export function checkGzip(bytes: Uint8Array, length: number): void {
  if (bytes.length < MIN_GZIP_BYTES) throw corrupt("gzip", "it is too short for a gzip member");
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4);
  const claimed = trailer.getUint32(0, true);
  if (claimed !== length % 2 ** 32) {
    throw wrongSize("gzip", `its trailer names ${claimed} bytes, not ${length}`);
  }
  checkRatio("gzip", bytes, length);
}

/** Refuses bytes of the zlib format (RFC 1950) that are too few for what they should yield. */
export function checkZlib(bytes: Uint8Array, length: number): void {
  if (bytes.length < MIN_ZLIB_BYTES) throw corrupt("deflate", "it is too short for a zlib stream");
  checkRatio("deflate", bytes, length);
}

/** The largest prime below 2^16. */
const ADLER_MODULUS = 65521;
/** So many bytes can be added before the sums have to be reduced, lest they outgrow 31 bits. */
const ADLER_STRETCH = 3800;

/** Refuses bytes of the zlib format (RFC 1950) that do not end with the Adler-32 of what came out of them. */
export function checkAdler32(bytes: Uint8Array, decoded: Uint8Array): void {
  let low = 1;
  let high = 0;
  for (let start = 0; start < decoded.length; start += ADLER_STRETCH) {
    const end = Math.min(start + ADLER_STRETCH, decoded.length);
    for (let at = start; at < end; at++) {
      low += decoded[at]!;
      high += low;
    }
    low %= ADLER_MODULUS;
    high %= ADLER_MODULUS;
  }
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4);
  if (trailer.getUint32(0) !== high * 2 ** 16 + low) {
    throw corrupt("deflate", "its checksum is wrong or missing");
  }
}

function checkRatio(codec: string, bytes: Uint8Array, length: number): void {
  if (length > bytes.length * MAX_DEFLATE_RATIO) {
    throw wrongSize(codec, `${bytes.length} bytes cannot yield ${length}`);
  }
}
