import { bytesBelow } from "./disk.ts";
import { FirstForm } from "./first_form.ts";
import { LargeFiles } from "./large_files.ts";
import { lockFolder } from "./locks/lock_store.ts";

/**
 * Bytes, as `du` counts them, of all that takes from the limit and is no part of the log.
 *
 * @param directory that of the log.
 * @param base the one that it is in.
 */
export function bytesBeside(directory: string, base: string): number {
  return LargeFiles.measure(directory) + bytesBelow(lockFolder(directory)) +
    FirstForm.measure(base);
}
