import { REFERENCE_CHARACTERS } from "./_newest_script.ts";
import { Script } from "./_script.ts";
import { REFERENCE_BYTES } from "./_stream_reference.ts";

/*
 * Scripts of streams, the same over TCP and REST. How an entry comes to refer
 * to chunks is in _newest_script.ts.
 */

/** How long the server keeps chunks that no entry refers to, and of which no more came; milliseconds. */
export const ORPHAN_MS = 120_000;

/** KEYS: where chunks are. ARGV: number of the chunk, its bytes. */
export const CHUNK_SCRIPT: Script = new Script(`
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return redis.call('PEXPIRE', KEYS[1], ${ORPHAN_MS})`);

/** KEYS: where chunks are. Has them kept for longer. */
export const KEEP_SCRIPT: Script = new Script(
  `return redis.call('PEXPIRE', KEYS[1], ${ORPHAN_MS})`,
);

/*
 * KEYS: where a record is. ARGV: first and last of what is wanted of it, as it is stored.
 *
 * Replies with what it begins with, the length of the frame, and what is wanted; of a
 * reference, with the first of them alone. All of it is of one write.
 */
function openScript(startLength: number, isReference: string, length: string): Script {
  return new Script(`
local start = redis.call('GETRANGE', KEYS[1], 0, ${startLength - 1})
if start == '' or ${isReference} then return { start } end
local length = redis.call('STRLEN', KEYS[1])
${length}
return { start, length, redis.call('GETRANGE', KEYS[1], ARGV[1], ARGV[2]) }`);
}

/** For records as they are. */
export const OPEN_SCRIPT: Script = openScript(
  REFERENCE_BYTES,
  "string.sub(start, 1, 6) == 'STRA\\128\\0'",
  "",
);

/** For records as base64. */
export const OPEN_BASE64_SCRIPT: Script = openScript(
  REFERENCE_CHARACTERS,
  "string.sub(start, 1, 8) == 'U1RSQYAA'",
  `local _, padding = string.gsub(redis.call('GETRANGE', KEYS[1], -2, -1), '=', '')
length = length / 4 * 3 - padding`,
);
