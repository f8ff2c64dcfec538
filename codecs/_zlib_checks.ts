import { corrupt, wrongSize } from "./_codec_errors.ts";

/** Header of 10 bytes, an empty block of 2 at least, trailer of 8. */
const MIN_GZIP_BYTES = 20;

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
  checkDeflateRatio("gzip", bytes, length);
}

/** Refuses deflated bytes that are too few for what they should yield, before anything is allocated. */
export function checkDeflateRatio(codec: string, bytes: Uint8Array, length: number): void {
  if (length > bytes.length * MAX_DEFLATE_RATIO) {
    throw wrongSize(codec, `${bytes.length} bytes cannot yield ${length}`);
  }
}
