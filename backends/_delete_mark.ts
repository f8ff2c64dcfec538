import { encodeFrame, type Payload } from "../src/entry/frame.ts";

/** How long the mark of a delete is kept: longer than a load or promotion that began before it may take. */
export const MARK_MS = 300_000;

const NO_VALUE: Payload = {
  bytes: new Uint8Array(0),
  rawLength: 0,
  serializer: 0,
  codec: 0,
  dtype: 1,
};

/**
 * The mark that a delete leaves: the frame of an empty value that was over in
 * 1970, a miss to every reader, with the version of the delete.
 *
 * @param keptUntil from when on it says nothing any more, epoch milliseconds; 0 where the store drops it by itself.
 */
export function encodeMark(key: string, version: number, keptUntil: number): Uint8Array {
  const metadata = { createdAt: 0, expiresAt: 0, staleUntil: keptUntil, version, tags: [] };
  return encodeFrame(key, metadata, NO_VALUE);
}
