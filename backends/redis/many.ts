import { Buffer } from "node:buffer";
import { NEWEST_SCRIPT } from "../_newest_script.ts";
import { isUnknownScript, type Script } from "../_script.ts";
import type { StoredNames } from "../_stored_key.ts";
import { chunksNameOf, REFERENCE_BYTES } from "../_stream_reference.ts";
import type { VersionedRecord } from "../_versioned_writes.ts";
import type { Argument, RedisConnection } from "./connection.ts";
import type { Echoes } from "./echoes.ts";

/* Commands on many keys, begun in one go so that they travel together. */

/** Keys of one round trip. */
export const BATCH_KEYS = 1000;

const LAST_START_BYTE = String(REFERENCE_BYTES - 1);

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

/** The first bytes of records, empty for none, null for what is no string. */
export function readHeaders(
  connection: RedisConnection,
  stored: readonly string[],
): Promise<unknown[]> {
  return Promise.all(
    stored.map((key) =>
      connection.send(key, ["GETRANGE", key, "0", LAST_START_BYTE]).catch(nullIfWrongType)
    ),
  );
}

/** Removes stored keys and their chunks. @returns the first bytes of the records that this call and no other removed. */
export async function unlinkAll(
  connection: RedisConnection,
  stored: readonly string[],
  names: StoredNames,
): Promise<unknown[]> {
  // Begun before the removals, so that each server sees them first.
  const headers = readHeaders(connection, stored);
  const removals = Promise.all(stored.map((key) => connection.remove(key)));
  const [read, counts] = await Promise.all([headers, removals]);
  const removed = read.filter((_, at) => counts[at] === 1);
  await removeChunks(connection, removed, names);
  return removed;
}

/** Removes the chunks that records referred to, which begin as is said. */
export async function removeChunks(
  connection: RedisConnection,
  starts: readonly unknown[],
  names: StoredNames,
): Promise<void> {
  const chunks = starts.flatMap((start) => {
    const name = Buffer.isBuffer(start) ? chunksNameOf(start) : undefined;
    return name === undefined ? [] : [connection.remove(names.streamPrefix + name)];
  });
  if (chunks.length > 0) await Promise.all(chunks);
}

/** Runs a script for its first key, by its digest where the server keeps it. */
export async function runScript(
  connection: RedisConnection,
  script: Script,
  keys: readonly [string, ...string[]],
  args: readonly Argument[],
): Promise<unknown> {
  const known = script.digest();
  const digest = known instanceof Promise ? await known : known;
  const rest = [String(keys.length), ...keys, ...args];
  try {
    return await connection.send(keys[0], ["EVALSHA", digest, ...rest]);
  } catch (error) {
    if (!(error instanceof Error && isUnknownScript(error.message))) throw error;
    return await connection.send(keys[0], ["EVAL", script.text, ...rest]);
  }
}

/** Bytes as the client takes them. */
export function argumentOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Runs the script of versioned writes for each record. @returns its replies. */
export async function writeNewest(
  connection: RedisConnection,
  records: readonly VersionedRecord[],
  names: StoredNames,
  echoes: Echoes,
): Promise<unknown[]> {
  // Once that is known, nothing that is begun later overtakes them.
  const digest = NEWEST_SCRIPT.digest();
  if (digest instanceof Promise) await digest;
  return await Promise.all(records.map(async ({ key, frame, args, chunks }) => {
    const stored = names.entry(key);
    const keys: [string, ...string[]] = [stored];
    const rest: Argument[] = [argumentOf(frame), ...args, names.streamPrefix];
    if (chunks !== undefined) {
      keys.push(chunks.stored);
      rest.push(String(chunks.count));
    }
    let reply: unknown = null;
    echoes.expect(stored);
    try {
      return reply = await runScript(connection, NEWEST_SCRIPT, keys, rest);
    } finally {
      if (reply === null) echoes.unexpect(stored);
    }
  }));
}

function nullIfWrongType(error: unknown): null {
  if (error instanceof Error && error.message.startsWith("WRONGTYPE")) return null;
  throw error;
}
