import { CacheError } from "../../src/errors.ts";
import type { BackendContext } from "../../src/types.ts";
import type { SegmentLog } from "./log/segment_log.ts";

/** What is larger than the limit is the caller's to know; that there is no room for what is not, is news. */
export function tellNoRoom(
  log: SegmentLog,
  context: BackendContext,
  key: string,
  bytes: number,
): void {
  if (bytes > log.maxFileBytes) return;
  const error = new CacheError("backend", "Cannot write: there is no room within the limit", {
    key,
  });
  context.report({ kind: "error", key, error });
}

/** The disk refuses a write. */
export function notTaken(key: string): CacheError {
  return new CacheError("backend", "Cannot write: the disk does not take it", { key });
}
