import type { Clock } from "../../src/types.ts";
import type { FrameReader } from "../_frames.ts";
import { VersionedWrites } from "../_versioned_writes.ts";
import type { Echoes } from "./echoes.ts";
import { BATCH_KEYS, writeNewest } from "./many.ts";
import type { RedisSettings } from "./redis_config.ts";
import { bytesOfReply, type CallOptions, type RedisStore } from "./redis_store.ts";

/** What the versioned writes of a backend are made of. */
export interface RedisVersionedWritesParts {
  /** Takes commands. */
  readonly store: RedisStore;
  /** Names and limits. */
  readonly settings: RedisSettings;
  /** Reads headers. */
  readonly frames: FrameReader;
  /** Told of every write. */
  readonly echoes: Echoes;
  /** The one source of time. */
  readonly clock: Clock;
}

/** Versioned writes by the script for frames as they are. */
export function redisVersionedWrites(
  { store, settings, frames, echoes, clock }: RedisVersionedWritesParts,
): VersionedWrites<CallOptions> {
  const { names, maxValueBytes, expiryGrace } = settings;
  return new VersionedWrites<CallOptions>({
    clock,
    frames,
    expiryGrace,
    batchSize: BATCH_KEYS,
    fits: (_key, length) => length <= maxValueBytes,
    send: async (records, call) => {
      const replies = await store.call(
        (connection) => writeNewest(connection, records, names, echoes),
        call,
      );
      return replies.map(bytesOfReply);
    },
  });
}
