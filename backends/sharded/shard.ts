import type { CacheBackend } from "../../src/types.ts";

/** One of the stores among which keys are spread. */
export interface Shard {
  /** Names it for ever, and among the others. */
  readonly id: string;
  /** Its share of the keys, in proportion to the others'. */
  readonly weight: number;
  /** The store. */
  readonly backend: CacheBackend;
  /** Whether it was opened for its shard, and is to be closed with it. */
  readonly isOwn: boolean;
}
