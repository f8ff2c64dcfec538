import type { CacheEntry } from "../../src/entry/entry.ts";
import type { Argument, RedisConnection } from "./connection.ts";
import { argumentOf, readHeaders, removeChunks, unlinkAll } from "./many.ts";
import type { RedisSettings } from "./redis_config.ts";

/** A write that looks at no version. */
export interface RedisWrite {
  /** Sends it. */
  readonly send: (connection: RedisConnection) => Promise<unknown>;
  /** Whether it stores, or the entry is declined. */
  readonly isStored: boolean;
}

/** What stores an entry, or removes an older one of its key. */
export function writeOf(
  entry: CacheEntry,
  frame: Uint8Array,
  { names, maxValueBytes, expiryGrace }: RedisSettings,
  now: number,
): RedisWrite {
  const stored = names.entry(entry.key);
  const isStored = frame.length <= maxValueBytes;
  const left = Math.ceil(entry.staleUntil - now);
  // Neither a value that is too large nor one that is over leaves an older one behind.
  if (!isStored || left <= 0) {
    return { send: (connection) => unlinkAll(connection, [stored], names), isStored };
  }
  const args: Argument[] = ["SET", stored, argumentOf(frame)];
  // From now, by the server's clock, so that it need not agree with ours.
  if (left !== Infinity) args.push("PX", String(left + expiryGrace));
  const send = async (connection: RedisConnection): Promise<void> => {
    const replaced = readHeaders(connection, [stored]);
    const [starts] = await Promise.all([replaced, connection.send(stored, args)]);
    await removeChunks(connection, starts, names);
  };
  return { send, isStored };
}
