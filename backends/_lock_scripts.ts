/*
 * Scripts of locks, the same over TCP and REST. A lock is a string that holds
 * its owner's token and expires with its lease. The fencing number is the
 * server's time in microseconds, or one more than the last number where that
 * is greater: it grows also after the server lost its data.
 */

/** KEYS: lock, fence. ARGV: token, lease in ms. Replies with the fencing number as text, or null. */
export const ACQUIRE_SCRIPT = `
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return false end
local now = redis.call('TIME')
local fence = tonumber(now[1]) * 1000000 + tonumber(now[2])
local last = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
if fence <= last then fence = last + 1 end
local text = string.format('%.0f', fence)
redis.call('SET', KEYS[2], text, 'PX', math.max(86400000, 2 * tonumber(ARGV[2])))
return text`;

/** KEYS: lock. ARGV: token, lease in ms. Replies with 1 when it is still held. */
export const RENEW_SCRIPT = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`;

/** KEYS: lock. ARGV: token. Replies with 1 when it was still held. */
export const RELEASE_SCRIPT = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`;
