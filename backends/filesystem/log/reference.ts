import type { Placement } from "../../../src/eviction/eviction_policy.ts";

/** A value of which the log keeps only the name of its file. */
export interface Reference {
  /** Names the file, in whatever way its owner likes; kept as it is. */
  readonly body: Uint8Array;
  /** Bytes of the file. */
  readonly fileBytes: number;
  /** Its place among the other entries. */
  readonly placement?: Placement | undefined;
}
