import { Script } from "./_script.ts";
import { REFERENCE_BYTES, REFERENCE_NAME_AT, REFERENCE_VERSION } from "./_stream_reference.ts";

/*
 * The newest version of a key wins, in whatever order writes arrive.
 *
 *   KEYS: where the record is; for a record that refers to chunks, where they are.
 *   ARGV: the record; its version; the latest version that an honest clock has
 *         made by now; milliseconds until the server drops it, "" for never;
 *         what the names of chunks begin with; how many chunks there must be.
 *
 * Replies with the first 102 bytes of the record that was replaced, "" for
 * none, or with null when a newer one stays. Versions come and are compared as
 * doubles, which every stamp is. Chunks of what is replaced go with it. When
 * those of the new record are not there any more, it replies with an error
 * that begins with "STRATA", and nothing has changed.
 *
 * A record is a frame (byte table in src/entry/frame.ts) or a reference
 * (_stream_reference.ts), over TCP as it is, over REST as base64, of which the
 * script decodes the first 48 bytes, and those with the name of chunks:
 *
 *   offset  type  field that is looked at
 *        0  u32   magic, the letters "STRA"
 *        4  u8    format version, 1 or 2, or 128 for a reference
 *       24  f64   expires, 0 in the mark of a delete
 *       40  f64   version stamp
 *       64  38    what the name of chunks ends with, in a reference
 *
 * A delete leaves a mark: the frame of an empty value that was over in 1970,
 * so that every reader takes it for a miss, with the version of the delete.
 * What is no frame, or claims a version from a later time than any honest
 * clock's, has no version, and is overwritten.
 */

/** For how much longer than their entry the server keeps chunks, for those who read them; milliseconds. */
const READERS_MS = 60_000;

function newestScript(startLength: number, decode: string): Script {
  return new Script(`
local held = redis.pcall('GETRANGE', KEYS[1], 0, ${startLength - 1})
if type(held) ~= 'string' then held = '' end
${decode}
local header = decoded(1, 48)
local kind = 0
if #header >= 48 and string.sub(header, 1, 4) == 'STRA' then kind = string.byte(header, 5) end
if kind == 1 or kind == 2 or kind == ${REFERENCE_VERSION} then
  local fraction = 0
  for at = 41, 46 do fraction = (fraction + string.byte(header, at)) / 256 end
  local high, top = string.byte(header, 47, 48)
  local exponent = top * 16 + math.floor(high / 16)
  local version = 0
  if exponent > 0 then
    version = (1 + (high % 16 + fraction) / 16) * 2 ^ (exponent - 1023)
  end
  local isMark = string.sub(header, 25, 32) == string.rep('\\0', 8)
  local new = tonumber(ARGV[2])
  if version <= tonumber(ARGV[3]) and (version > new or (version == new and isMark)) then
    return false
  end
end
if KEYS[2] then
  if redis.call('HLEN', KEYS[2]) ~= tonumber(ARGV[6]) then
    return redis.error_reply('STRATA chunks are gone')
  end
  if ARGV[4] == '' then redis.call('PERSIST', KEYS[2])
  else redis.call('PEXPIRE', KEYS[2], string.format('%.0f', tonumber(ARGV[4]) + ${READERS_MS})) end
end
if ARGV[4] == '' then redis.call('SET', KEYS[1], ARGV[1])
else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[4]) end
if kind == ${REFERENCE_VERSION} then
  local name = decoded(${REFERENCE_NAME_AT + 1}, ${REFERENCE_BYTES})
  if string.find(name, '^{%w%w%w%w}%x+$') and #name == ${REFERENCE_BYTES - REFERENCE_NAME_AT} then
    redis.call('UNLINK', ARGV[5] .. name)
  end
end
return held`);
}

/** For frames as they are. */
export const NEWEST_SCRIPT: Script = newestScript(
  REFERENCE_BYTES,
  "local function decoded(from, to) return string.sub(held, from, to) end",
);

/** Characters of base64 in which a reference is. */
export const REFERENCE_CHARACTERS = REFERENCE_BYTES / 3 * 4;

/** For frames as base64. Decodes whole groups of four characters: the last one may have padding in it. */
export const NEWEST_BASE64_SCRIPT: Script = newestScript(
  REFERENCE_CHARACTERS,
  `local digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
local function decoded(from, to)
  local first = math.floor((from - 1) / 3)
  local bytes = ''
  for group = first, math.floor((to - 1) / 3) do
    local start = group * 4 + 1
    if start + 3 > #held then break end
    local bits = 0
    for each = start, start + 3 do
      bits = bits * 64 + (string.find(digits, string.sub(held, each, each), 1, true) or 1) - 1
    end
    bytes = bytes ..
      string.char(math.floor(bits / 65536), math.floor(bits / 256) % 256, bits % 256)
  end
  return string.sub(bytes, from - first * 3, to - first * 3)
end`,
);
