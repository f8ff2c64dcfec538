import { show } from "../config.ts";
import type { ByteRange } from "../types.ts";
import type { GetStreamOptions } from "./cache.ts";

/** @throws {TypeError} when something is no stream, or one that somebody reads, or has read from. */
export function checkStream(stream: unknown): ReadableStream<Uint8Array> {
  if (typeof (stream as ReadableStream | null)?.getReader !== "function") {
    throw new TypeError(
      `Cannot set stream: it must be a ReadableStream: current value is ${show(stream)}`,
    );
  }
  if ((stream as ReadableStream).locked) {
    throw new TypeError("Cannot set stream: it is locked: somebody else reads it");
  }
  if (isDisturbed(stream as ReadableStream)) {
    throw new TypeError(
      "Cannot set stream: it has been read from or cancelled before: give one that is whole",
    );
  }
  return stream as ReadableStream<Uint8Array>;
}

/** What has been read is missing from a stream; it tells so only by being refused as a body. */
function isDisturbed(stream: ReadableStream): boolean {
  try {
    new Response(stream);
    return false;
  } catch {
    return true;
  }
}

/** @throws {RangeError} when something that is given is no number of bytes. */
export function checkCount(
  action: string,
  name: string,
  count: number | undefined,
): number | undefined {
  if (count === undefined || (Number.isSafeInteger(count) && count >= 0)) return count;
  throw new RangeError(
    `Cannot ${action}: '${name}' must be a number of bytes, 0 or more: current value is ${
      show(count)
    }`,
  );
}

/** The range that is asked for, `undefined` for everything. */
export function rangeOf(options: GetStreamOptions): ByteRange | undefined {
  const offset = checkCount("get stream", "offset", options.offset) ?? 0;
  const length = options.length === Infinity
    ? undefined
    : checkCount("get stream", "length", options.length);
  if (offset === 0 && length === undefined) return undefined;
  return { offset, length: length ?? Number.MAX_SAFE_INTEGER - offset };
}
