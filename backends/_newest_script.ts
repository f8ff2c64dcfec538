import { Script } from "./_script.ts";

/*
 * The newest version of a key wins, in whatever order writes arrive.
 *
 *   KEYS: where the record is.
 *   ARGV: the record; its version; the latest version that an honest clock has
 *         made by now; milliseconds until the server drops it, "" for never.
 *
 * Replies with the header of the record that was replaced, "" for none, or
 * with null when a newer one stays. Versions come and are compared as doubles,
 * which every stamp is.
 *
 * A record is a frame (byte table in src/entry/frame.ts), over TCP as it is,
 * over REST as base64, of which the script decodes the first 48 bytes:
 *
 *   offset  type  field that is looked at
 *        0  u32   magic, the letters "STRA"
 *        4  u8    format version, 1
 *       24  f64   expires, 0 in the mark of a delete
 *       40  f64   version stamp
 *
 * A delete leaves a mark: the frame of an empty value that was over in 1970,
 * so that every reader takes it for a miss, with the version of the delete.
 * What is no frame, or claims a version from a later time than any honest
 * clock's, has no version, and is overwritten.
 */

function newestScript(lastOfHeader: number, decode: string): Script {
  return new Script(`
local held = redis.pcall('GETRANGE', KEYS[1], 0, ${lastOfHeader})
if type(held) ~= 'string' then held = '' end
${decode}
if #header >= 48 and string.sub(header, 1, 5) == 'STRA\\1' then
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
if ARGV[4] == '' then redis.call('SET', KEYS[1], ARGV[1])
else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[4]) end
return held`);
}

/** For frames as they are. */
export const NEWEST_SCRIPT: Script = newestScript(63, "local header = held");

/** For frames as base64. */
export const NEWEST_BASE64_SCRIPT: Script = newestScript(
  87,
  `local digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
local header = ''
for at = 1, math.min(#held, 64) - 3, 4 do
  local bits = 0
  for each = at, at + 3 do
    bits = bits * 64 + (string.find(digits, string.sub(held, each, each), 1, true) or 1) - 1
  end
  header = header ..
    string.char(math.floor(bits / 65536), math.floor(bits / 256) % 256, bits % 256)
end`,
);
