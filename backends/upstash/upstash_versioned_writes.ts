import type { Clock } from "../../src/types.ts";
import type { FrameReader } from "../_frames.ts";
import { NEWEST_BASE64_SCRIPT } from "../_newest_script.ts";
import { VersionedWrites } from "../_versioned_writes.ts";
import { bytesOfReply } from "./base64.ts";
import { BATCH_KEYS, setNewest, sizeOfSetNewest } from "./commands.ts";
import type { UpstashSettings } from "./upstash_config.ts";
import type { CallOptions, UpstashStore } from "./upstash_store.ts";

/** What the versioned writes of a backend are made of. */
export interface UpstashVersionedWritesParts {
  /** Takes commands. */
  readonly store: UpstashStore;
  /** Names and limits. */
  readonly settings: UpstashSettings;
  /** Reads headers. */
  readonly frames: FrameReader;
  /** The one source of time. */
  readonly clock: Clock;
}

const NO_HEADER = new Uint8Array(0);

/** Versioned writes by the script for frames as base64. */
export function upstashVersionedWrites(
  { store, settings, frames, clock }: UpstashVersionedWritesParts,
): VersionedWrites<CallOptions> {
  const { names, maxRequestBytes, expiryGrace } = settings;
  return new VersionedWrites<CallOptions>({
    clock,
    frames,
    expiryGrace,
    batchSize: BATCH_KEYS,
    fits: (key, length) =>
      sizeOfSetNewest(names.entry(key), length, names.streamPrefix) <= maxRequestBytes,
    send: async (records, call) => {
      const digest = await NEWEST_BASE64_SCRIPT.digest();
      const commands = records.map((record) =>
        setNewest(digest, names.entry(record.key), record, names.streamPrefix)
      );
      const replies = await store.send(commands, call);
      // What was replaced and is no base64 was no record.
      return replies.map((reply) => reply === null ? undefined : bytesOfReply(reply) ?? NO_HEADER);
    },
  });
}
