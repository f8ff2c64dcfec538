import type { SegmentLogOptions } from "../../backends/filesystem/log/log_options.ts";
import type { StoredEntry } from "../../backends/filesystem/log/reader.ts";
import { SegmentLog } from "../../backends/filesystem/log/segment_log.ts";
import { nativeCrc32 } from "../../codecs/_native_crc32.ts";
import { systemClock } from "../../src/clock.ts";
import { useNativeCrc32 } from "../../src/entry/checksum.ts";
import { encodeFrame } from "../../src/entry/frame.ts";
import { createEvictionPolicy } from "../../src/eviction/policies.ts";
import { andThen } from "../../src/maybe_promise.ts";
import { DIMENSIONS } from "./items.ts";
import type { Item, Peer } from "./peer.ts";

/** Opens a log as the filesystem backend does. */
export function openLog(
  folder: string,
  options: Partial<SegmentLogOptions> = {},
): Promise<SegmentLog> {
  if (nativeCrc32 !== undefined) useNativeCrc32(nativeCrc32);
  return SegmentLog.open(folder, {
    policy: (limits) => createEvictionPolicy("lru", limits),
    clock: systemClock,
    report: () => {},
    checkBodies: false,
    ...options,
  });
}

/** What the log is given for an item. */
export function frameOf({ key, bytes }: Item): Uint8Array {
  return encodeFrame(
    key,
    { createdAt: 0, expiresAt: Infinity, staleUntil: Infinity, version: 1, tags: [] },
    { bytes, rawLength: bytes.length, serializer: 0, codec: 0, dtype: 1 },
  );
}

/** Bytes before the value in a frame. */
const HEADER_BYTES = 64;

/** The value in what the log gives back. */
export function bodyOf(entry: StoredEntry | undefined): Uint8Array | undefined {
  return entry?.body.subarray(HEADER_BYTES, HEADER_BYTES + DIMENSIONS * 4);
}

/** The engine alone: frames are encoded beforehand, and not decoded. */
export const segmentLog: Peer = {
  name: "Strata: SegmentLog",
  version: () => "frames in and out",
  async open(folder, items) {
    const frames = items.map(frameOf);
    const log = await openLog(folder);
    return {
      set: ({ at, key }) => log.put(key, frames[at]!, Infinity),
      get: ({ key }) => andThen(log.get(key), bodyOf),
      delete: ({ key }) => log.delete(key),
      flush: () => log.flush(),
      close: () => log.close(),
    };
  },
};
