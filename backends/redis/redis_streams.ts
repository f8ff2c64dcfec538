import type { Clock } from "../../src/types.ts";
import { CHUNK_BYTES, ChunkedStreams, type ChunkedStreamsParts } from "../_chunked_streams.ts";
import type { FrameReader } from "../_frames.ts";
import type { VersionedWrites } from "../_versioned_writes.ts";
import { redisChunks } from "./redis_chunks.ts";
import type { RedisSettings } from "./redis_config.ts";
import type { CallOptions, RedisStore } from "./redis_store.ts";

/** What the streams of a backend share with it. */
export interface RedisStreamsParts extends Pick<ChunkedStreamsParts, "run"> {
  /** Takes commands. */
  readonly store: RedisStore;
  /** Names and limits. */
  readonly settings: RedisSettings;
  /** Reads records. */
  readonly frames: FrameReader;
  /** Makes entries visible. */
  readonly versioned: VersionedWrites<CallOptions>;
  /** The one source of time. */
  readonly clock: Clock;
}

/** Streams over a connection. */
export function redisStreams({ store, settings, ...parts }: RedisStreamsParts): ChunkedStreams {
  const { name, names, maxValueBytes } = settings;
  return new ChunkedStreams({
    ...parts,
    backend: name,
    label: "Redis",
    names,
    transport: redisChunks(store),
    chunkBytes: CHUNK_BYTES,
    maxBytes: maxValueBytes,
  });
}
