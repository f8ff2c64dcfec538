import { FRAME_HEADER_BYTES } from "../../src/entry/frame.ts";
import { NEWEST_BASE64_SCRIPT } from "../_newest_script.ts";
import { base64Length, toBase64 } from "./base64.ts";
import type { UpstashCommand } from "./upstash_pipe.ts";

/** Keys of one request. */
export const BATCH_KEYS = 500;

/** What a command has besides its keys and values, as JSON. */
export const COMMAND_BYTES = 64;

/** The header of a frame as base64 is in the first so many characters. */
const LAST_HEADER_CHARACTER = base64Length(FRAME_HEADER_BYTES) - 1;

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

/** Reads as much of a value as the header of a frame takes. */
export function getHeader(stored: string): UpstashCommand {
  return {
    add: (pipeline) => pipeline.getrange(stored, 0, LAST_HEADER_CHARACTER),
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
): UpstashCommand {
  return {
    add: (pipeline) =>
      px === Infinity ? pipeline.set(stored, text()) : pipeline.set(stored, text(), { px }),
    bytes: sizeOf(stored) + length,
    writes: stored,
  };
}

/** Removes a value. */
export function unlink(stored: string): UpstashCommand {
  return { add: (pipeline) => pipeline.unlink(stored), bytes: sizeOf(stored), writes: stored };
}

/** Stores a frame unless a newer one is there. `args` are the script's after the record. */
export function setNewest(
  digest: string,
  stored: string,
  frame: Uint8Array,
  args: readonly string[],
): UpstashCommand {
  const run = (how: "eval" | "evalsha", script: string): UpstashCommand => ({
    add: (pipeline) => pipeline[how](script, [stored], [toBase64(frame), ...args]),
    bytes: sizeOf(script) + sizeOfNewest(stored, frame.length),
    writes: stored,
  });
  return {
    ...run("evalsha", digest),
    ifUnknownScript: run("eval", NEWEST_BASE64_SCRIPT.text),
  };
}

/** The most that {@linkcode setNewest} takes of a request for a frame of some length. */
export function sizeOfSetNewest(stored: string, frameLength: number): number {
  return sizeOf(NEWEST_BASE64_SCRIPT.text) + sizeOfNewest(stored, frameLength);
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

/** Without the script: key, frame, and three numbers. */
function sizeOfNewest(stored: string, frameLength: number): number {
  return sizeOf(stored) + base64Length(frameLength) + 3 * COMMAND_BYTES;
}

/** The most that a command with this text takes as JSON in UTF-8: six bytes for a control character. */
export function sizeOf(text: string): number {
  return COMMAND_BYTES + text.length * 6;
}
