import type { WriteFormat } from "../../src/entry/content.ts";
import { copyBinary, isBinary } from "../../src/entry/dtype.ts";
import { CacheEntry } from "../../src/entry/entry.ts";

/** A view may keep so many bytes alive that are not its own, as one of a whole frame does. */
const MAX_WASTED_BYTES = 512;

/** Or this share of its own. */
const MAX_WASTED_SHARE = 0.25;

/** Of a value that is binary, and so is never given to a serializer. */
const BINARY_FORMAT: WriteFormat = {
  serializer: {
    name: "none",
    id: 0,
    encode() {
      throw new TypeError("Cannot encode value: it is not binary");
    },
    decode() {
      throw new TypeError("Cannot decode value: it is not binary");
    },
  },
  codec: undefined,
  compressionMinBytes: 0,
};

/**
 * The entry with nothing in tow: without its bytes, and with a copy of its
 * value where that is a small view of a large buffer, as a row of a matrix is.
 *
 * @param entry one that is live.
 */
export function detached(entry: CacheEntry): CacheEntry {
  const value = entry.value();
  if (!ArrayBuffer.isView(value) || !isBinary(value)) return entry.withoutBytes();
  const wasted = value.buffer.byteLength - value.byteLength;
  return wasted <= Math.max(MAX_WASTED_BYTES, value.byteLength * MAX_WASTED_SHARE)
    ? entry.withoutBytes()
    : CacheEntry.of(entry.key, copyBinary(value), entry, BINARY_FORMAT);
}
