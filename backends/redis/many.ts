import { Buffer } from "node:buffer";
import { FRAME_HEADER_BYTES } from "../../src/entry/frame.ts";
import { NEWEST_SCRIPT } from "../_newest_script.ts";
import { isUnknownScript } from "../_script.ts";
import type { StoredNames } from "../_stored_key.ts";
import type { VersionedRecord } from "../_versioned_writes.ts";
import type { RedisConnection } from "./connection.ts";
import type { Echoes } from "./echoes.ts";

/* Commands on many keys, begun in one go so that they travel together. */

/** Keys of one round trip. */
export const BATCH_KEYS = 1000;

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

/** Runs the script of versioned writes for each record. @returns its replies. */
export async function writeNewest(
  connection: RedisConnection,
  records: readonly VersionedRecord[],
  names: StoredNames,
  echoes: Echoes,
): Promise<unknown[]> {
  const known = NEWEST_SCRIPT.digest();
  const digest = known instanceof Promise ? await known : known;
  return await Promise.all(records.map(async ({ key, frame, args }) => {
    const stored = names.entry(key);
    const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
    const rest = ["1", stored, bytes, ...args];
    let reply: unknown = null;
    echoes.expect(stored);
    try {
      return reply = await connection.send(stored, ["EVALSHA", digest, ...rest]);
    } catch (error) {
      if (!(error instanceof Error && isUnknownScript(error.message))) throw error;
      return reply = await connection.send(stored, ["EVAL", NEWEST_SCRIPT.text, ...rest]);
    } finally {
      if (reply === null) echoes.unexpect(stored);
    }
  }));
}

function nullIfWrongType(error: unknown): null {
  if (error instanceof Error && error.message.startsWith("WRONGTYPE")) return null;
  throw error;
}
