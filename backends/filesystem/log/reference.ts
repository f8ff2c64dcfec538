import type { Placement } from "../../../src/eviction/eviction_policy.ts";

/** How an entry takes its place among others. */
export interface Place extends Placement {
  /** What it costs to get it again; not written, and so not known after a restart. */
  readonly cost?: number | undefined;
}

/** A value of which the log keeps only the name of its file. */
export interface Reference {
  /** Names the file, in whatever way its owner likes; kept as it is. */
  readonly body: Uint8Array;
  /** Bytes of the file. */
  readonly fileBytes: number;
  /** Its place among the other entries. */
  readonly placement?: Place | undefined;
}
