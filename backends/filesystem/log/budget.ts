import { CacheError } from "../../../src/errors.ts";
import { blocksOf, CLAIM_SLACK } from "./segment.ts";

const LIVE_SHARE = 0.85;
/** Less than that of the limit for each process that writes goes to open segments for the most part. */
const MIN_BYTES_A_WRITER = 120 * 1024;

/**
 * The most bytes of live entries within a limit: what is left beside the
 * segments that are written and the room for one more, less a share that is
 * dead. Segments go as a whole, and the more of them is dead, the less has to
 * be carried over.
 */
export function liveBudget(maxBytes: number, segmentBytes: number, writers: number): number {
  return Math.max(0, maxBytes - (writers + 1) * claimOf(segmentBytes) - 8 * 4096) * LIVE_SHARE;
}

/** The most that a segment takes which is being written, with the file that says who writes it. */
export function claimOf(segmentBytes: number): number {
  return blocksOf(segmentBytes) + CLAIM_SLACK + 4096;
}

/** What there is to say when so many writers share a limit; `undefined` when it is large enough. */
export function crowdError(maxBytes: number, writers: number): CacheError | undefined {
  if (maxBytes >= writers * MIN_BYTES_A_WRITER) return undefined;
  return new CacheError(
    "backend",
    `Cannot hold much in segment log: 'maxBytes' should be at least ${MIN_BYTES_A_WRITER} for each of the ${writers} processes that write: current value is ${maxBytes}`,
  );
}
