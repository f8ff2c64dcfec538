import { FRAME_HEADER_BYTES } from "../../src/entry/frame.ts";
import type { RedisConnection } from "./connection.ts";

/* Commands on many keys, begun in one go so that they travel together. */

const LAST_HEADER_BYTE = String(FRAME_HEADER_BYTES - 1);

/** The values of stored keys, null for none and for what is no string. */
export function readAll(
  connection: RedisConnection,
  stored: readonly string[],
): Promise<readonly unknown[]> {
  const [first] = stored;
  if (!connection.isCluster && first !== undefined) {
    return connection.send(first, ["MGET", ...stored]) as Promise<unknown[]>;
  }
  return Promise.all(
    stored.map((key) => connection.send(key, ["GET", key]).catch(nullIfWrongType)),
  );
}

/** The headers of stored frames, empty for none, null for what is no string. */
export function readHeaders(
  connection: RedisConnection,
  stored: readonly string[],
): Promise<unknown[]> {
  return Promise.all(
    stored.map((key) =>
      connection.send(key, ["GETRANGE", key, "0", LAST_HEADER_BYTE]).catch(nullIfWrongType)
    ),
  );
}

/** Removes stored keys. @returns the headers of the frames that this call and no other removed. */
export async function unlinkAll(
  connection: RedisConnection,
  stored: readonly string[],
): Promise<unknown[]> {
  // Begun before the removals, so that each server sees them first.
  const headers = readHeaders(connection, stored);
  const removals = Promise.all(stored.map((key) => connection.remove(key)));
  const [read, counts] = await Promise.all([headers, removals]);
  return read.filter((_, at) => counts[at] === 1);
}

function nullIfWrongType(error: unknown): null {
  if (error instanceof Error && error.message.startsWith("WRONGTYPE")) return null;
  throw error;
}
