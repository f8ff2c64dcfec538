import { decodeFrameHeader, decodeKey } from "../../src/entry/frame.ts";
import {
  decodeStreamHeader,
  decodeStreamHeaderStart,
  isStreamFrame,
} from "../../src/entry/stream_frame.ts";
import { CacheError } from "../../src/errors.ts";
import type { Standing } from "./object_metadata.ts";

/** A frame that claims a longer key is none of ours: whoever wrote it wants it read. */
const MAX_KEY_BYTES = 16 * 1024 * 1024;

/** Where the key of a frame stands. */
export interface KeyPlace {
  readonly offset: number;
  readonly length: number;
  /**
   * Reads the key from the bytes of that place.
   *
   * @throws {CacheError} `"corrupt"` when they are damaged.
   */
  readonly read: (bytes: Uint8Array) => string;
}

/**
 * What the header of a frame says of its entry.
 *
 * @param bytes the first `FRAME_HEADER_BYTES` of it.
 * @throws {CacheError} when they are no undamaged header of a known version.
 */
export function standingOfFrame(bytes: Uint8Array): Standing {
  return isStreamFrame(bytes) ? decodeStreamHeaderStart(bytes) : decodeFrameHeader(bytes);
}

/**
 * Where a frame has its key.
 *
 * @param bytes the first `FRAME_HEADER_BYTES` of it.
 * @throws {CacheError} when they are no undamaged header of a known version, or claim a key beyond all measure.
 */
export function keyPlaceOf(bytes: Uint8Array): KeyPlace {
  if (isStreamFrame(bytes)) {
    const { headerLength } = decodeStreamHeaderStart(bytes);
    return bounded({
      offset: 0,
      length: headerLength,
      read: (header) => decodeStreamHeader(header).key,
    });
  }
  const { frameLength, tagsLength, keyLength, utf16Key } = decodeFrameHeader(bytes);
  return bounded({
    offset: frameLength - tagsLength - keyLength,
    length: keyLength,
    read: (key) => decodeKey(key, utf16Key),
  });
}

function bounded(place: KeyPlace): KeyPlace {
  if (place.length > MAX_KEY_BYTES) {
    throw new CacheError("corrupt", "Cannot read the key of a frame: it claims to be too long");
  }
  return place;
}
