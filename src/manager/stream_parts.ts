import type { WriteFormat } from "../entry/content.ts";
import type { VersionClock } from "../entry/version.ts";
import type { EventHub } from "../observability/events.ts";
import type { StreamCounts } from "../observability/stats.ts";
import type { Clock } from "../types.ts";
import type { Background } from "./background.ts";
import type { Fences } from "./fences.ts";
import type { CacheCounters } from "./instant_reads.ts";
import type { SinkOutcome, StreamedMetadata } from "./stream_sink.ts";
import type { TagIndex } from "./tag_index.ts";
import type { Tier } from "./tier.ts";
import type { Write } from "./write.ts";

/** What streams share with the stack whose tiers they move through. */
export interface StreamParts {
  /** Fastest first. */
  readonly tiers: readonly Tier[];
  /** The one source of time. */
  readonly clock: Clock;
  /** Takes what happens. */
  readonly events: EventHub;
  /** How values are written. */
  readonly format: WriteFormat;
  /** The most bytes that a value may have in memory as a whole. */
  readonly maxDecodedBytes: number;
  /** Tell what came later. */
  readonly fences: Fences;
  /** Tell what was dropped. */
  readonly tags: TagIndex;
  /** Told of the versions read. */
  readonly versions: VersionClock;
  /** Count hits and misses. */
  readonly counters: CacheCounters;
  /** Takes what nobody waits for. */
  readonly background: Background;
  /** Writes a value that turned out to be small. */
  readonly set: (write: Write, signal?: AbortSignal) => Promise<{ readonly stored: boolean }>;
  /** Tells of a write that has ended in every tier. @returns whether all that should hold it do. */
  readonly wrote: (
    entry: Pick<StreamedMetadata, "key" | "version">,
    outcomes: readonly Exclude<SinkOutcome, "superseded">[],
  ) => Promise<boolean>;
  /** Waits until later writes of a key have come to every tier. */
  readonly overtaken: (keys: readonly string[]) => Promise<void>;
}

/** As {@linkcode StreamParts}, with what all streams of a cache share. */
export interface StreamContext extends StreamParts {
  /** Count streams. */
  readonly counts: StreamCounts;
}
