import { NEWEST_BASE64_SCRIPT, REFERENCE_CHARACTERS } from "../_newest_script.ts";
import type { Script } from "../_script.ts";
import type { VersionedRecord } from "../_versioned_writes.ts";
import { base64Length, toBase64 } from "./base64.ts";
import type { UpstashCommand } from "./upstash_pipe.ts";

/** Keys of one request. */
export const BATCH_KEYS = 500;

/** What a command has besides its keys and values, as JSON. */
export const COMMAND_BYTES = 64;

/** A command that changes a key. */
export type ChangeCommand = UpstashCommand & { readonly writes: string };

/** Reads one value. */
export function get(stored: string): UpstashCommand {
  return { add: (pipeline) => pipeline.get(stored), bytes: sizeOf(stored) };
}

/** Reads many values; it counts as one command. */
export function getAll(stored: readonly string[]): UpstashCommand {
  return {
    add: (pipeline) => pipeline.mget(...stored),
    bytes: stored.reduce((sum, key) => sum + sizeOf(key), 0),
  };
}

/** Reads as much of a value as the header of a frame takes, and a whole reference to chunks. */
export function getHeader(stored: string): UpstashCommand {
  return {
    add: (pipeline) => pipeline.getrange(stored, 0, REFERENCE_CHARACTERS - 1),
    bytes: sizeOf(stored),
    nullIfWrongType: true,
  };
}

/** Stores a value of base64 text for some milliseconds, or for ever. */
export function set(
  stored: string,
  text: () => string,
  length: number,
  px: number,
): ChangeCommand {
  return {
    add: (pipeline) =>
      px === Infinity ? pipeline.set(stored, text()) : pipeline.set(stored, text(), { px }),
    bytes: sizeOf(stored) + length,
    writes: stored,
  };
}

/** Removes a value. */
export function unlink(stored: string): ChangeCommand {
  return { add: (pipeline) => pipeline.unlink(stored), bytes: sizeOf(stored), writes: stored };
}

/** Reads a chunk of a stream. */
export function getChunk(chunks: string, index: number): UpstashCommand {
  return { add: (pipeline) => pipeline.hget(chunks, String(index)), bytes: sizeOf(chunks) };
}

/** Runs a script that the database keeps, or is given when it does not. It changes nothing that others change. */
export async function runScript(
  script: Script,
  keys: readonly string[],
  args: readonly string[],
  argBytes: number = args.reduce((sum, arg) => sum + sizeOf(arg), 0),
): Promise<UpstashCommand> {
  const digest = await script.digest();
  return kept(script, digest, keys, () => [...args], argBytes);
}

/** Stores a record unless a newer one is there. */
export function setNewest(
  digest: string,
  stored: string,
  { frame, args, chunks }: VersionedRecord,
  streamPrefix: string,
): UpstashCommand {
  const keys = chunks === undefined ? [stored] : [stored, chunks.stored];
  const rest = chunks === undefined ? [streamPrefix] : [streamPrefix, String(chunks.count)];
  const bytes = sizeOfNewest(frame.length) + sizeOf(streamPrefix);
  const script = NEWEST_BASE64_SCRIPT;
  const command = kept(script, digest, keys, () => [toBase64(frame), ...args, ...rest], bytes);
  return {
    ...command,
    writes: stored,
    ifUnknownScript: { ...command.ifUnknownScript!, writes: stored },
  };
}

function kept(
  script: Script,
  digest: string,
  keys: readonly string[],
  args: () => string[],
  argBytes: number,
): UpstashCommand {
  const keyBytes = keys.reduce((sum, key) => sum + sizeOf(key), 0);
  const run = (how: "eval" | "evalsha", text: string): UpstashCommand => ({
    add: (pipeline) => pipeline[how](text, [...keys], args()),
    bytes: sizeOf(text) + keyBytes + argBytes,
  });
  return { ...run("evalsha", digest), ifUnknownScript: run("eval", script.text) };
}

/** The most that {@linkcode setNewest} takes of a request for a frame of some length. */
export function sizeOfSetNewest(
  stored: string,
  frameLength: number,
  streamPrefix: string,
): number {
  return sizeOf(NEWEST_BASE64_SCRIPT.text) + sizeOf(stored) + sizeOf(streamPrefix) +
    sizeOfNewest(frameLength);
}

/** Runs a script. */
export function evaluate(
  script: string,
  keys: readonly string[],
  args: readonly string[],
): UpstashCommand {
  return {
    add: (pipeline) => pipeline.eval(script, [...keys], [...args]),
    bytes: [script, ...keys, ...args].reduce((sum, text) => sum + sizeOf(text), 0),
    writes: keys[0] as string,
  };
}

/** Tells the listeners of a channel, one request after another: messages arrive in order. */
export function publish(channel: string, message: string): UpstashCommand {
  return {
    add: (pipeline) => pipeline.publish(channel, message),
    bytes: sizeOf(channel) + sizeOf(message),
    writes: channel,
  };
}

/** A frame and three numbers. */
function sizeOfNewest(frameLength: number): number {
  return base64Length(frameLength) + 3 * COMMAND_BYTES;
}

/** The most that a command with this text takes as JSON in UTF-8: six bytes for a control character. */
export function sizeOf(text: string): number {
  return COMMAND_BYTES + text.length * 6;
}
