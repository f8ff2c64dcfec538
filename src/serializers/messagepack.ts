import type { Serializer } from "../types.ts";
import { type Carried, checkCarried } from "./_carry.ts";
import { checkMessagePack } from "./_messagepack_check.ts";
import { MAX_DEPTH } from "./_trail.ts";

/** What a MessagePack library must offer. */
export interface MessagePackModule {
  /** Makes MessagePack of a value. */
  encode(value: unknown, options?: Readonly<Record<string, unknown>>): Uint8Array;
  /** Makes a value of MessagePack. */
  decode(bytes: Uint8Array, options?: Readonly<Record<string, unknown>>): unknown;
}

/** Options of {@linkcode createMessagePackSerializer}. */
export interface MessagePackOptions {
  /**
   * Goes to `encode` as second argument.
   *
   * @default `{ maxDepth: 1001 }`, because `@msgpack/msgpack` ends at 100 levels else
   */
  readonly encodeOptions?: Readonly<Record<string, unknown>>;
  /**
   * Goes to `decode` as second argument.
   *
   * @default `{}`
   */
  readonly decodeOptions?: Readonly<Record<string, unknown>>;
}

/** By the specification: `{ "a": [nil, true, 1.5, -1, "é", 4294967296] }`. Another reader must understand what this one writes. */
const REFERENCE = Uint8Array.of(
  ...[0x81, 0xa1, 0x61, 0x96, 0xc0, 0xc3, 0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xff],
  ...[0xa2, 0xc3, 0xa9, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0],
);

/** First bytes of an object with few properties: fixmap, map 16, map 32. */
const MAP_MARKS: readonly number[] = [0x81, 0xde, 0xdf];

/** By the specification: dates as timestamp 32, 64 and 96. */
const TIMESTAMPS: readonly [time: number, bytes: string][] = [
  [0, "d6ff00000000"],
  [1e12 + 1, "d7ff003d09003b9aca00"],
  [-1, "c70cff3b8b87c0ffffffffffffffff"],
];

const NON_FINITE: readonly number[] = [NaN, Infinity, -Infinity];

/**
 * Makes a serializer of a MessagePack library.
 *
 * It carries null, booleans, finite numbers, well-formed strings, arrays
 * without holes and plain objects; and `Uint8Array`, `Date`, -0, NaN and the
 * infinities where the library brings them back, which is tried out here.
 * Anything else is refused, never changed. Frames name no library, so only
 * what the specification defines is written: every library reads it.
 *
 * @param module the library, or its options bound to it.
 * @returns a serializer with id 2.
 * @throws {TypeError} when the module does not write and read MessagePack.
 *
 * @example
 * ```ts
 * import { createMessagePackSerializer } from "@strata/cache";
 * import * as msgpack from "@msgpack/msgpack";
 *
 * const serializer = createMessagePackSerializer(msgpack);
 * console.assert(serializer.encode([1, 2]).length === 3);
 * ```
 */
export function createMessagePackSerializer(
  module: MessagePackModule,
  options: MessagePackOptions = {},
): Serializer {
  const { encodeOptions = { maxDepth: MAX_DEPTH + 1 }, decodeOptions = {} } = options;
  if (typeof module?.encode !== "function" || typeof module.decode !== "function") {
    throw new TypeError("Cannot use MessagePack module: it must have 'encode' and 'decode'");
  }
  const write = (value: unknown): Uint8Array => module.encode(value, encodeOptions);
  // A copy, because libraries hand out byte arrays as views of their input.
  const read = (bytes: Uint8Array): unknown => module.decode(new Uint8Array(bytes), decodeOptions);
  const carried = tryOut(write, read);
  return {
    name: "msgpack",
    id: 2,

    encode(value: unknown): Uint8Array {
      checkCarried(value, carried);
      return write(value);
    },

    decode(bytes: Uint8Array): unknown {
      checkMessagePack(bytes);
      return read(bytes);
    },
  };
}

type Write = (value: unknown) => Uint8Array;
type Read = (bytes: Uint8Array) => unknown;

function tryOut(write: Write, read: Read): Carried {
  if (!holds(() => isMessagePack(write, read))) {
    throw new TypeError(
      "Cannot use MessagePack module: it does not write and read objects as the specification says",
    );
  }
  return {
    name: "msgpack",
    negativeZero: holds(() => Object.is(read(write(-0)), -0)),
    nonFinite: holds(() => NON_FINITE.every((number) => Object.is(read(write(number)), number))),
    loneSurrogates: false, // UTF-8 has none; libraries write U+FFFD instead.
    bytes: holds(() => {
      const back = read(write(Uint8Array.of(0, 255)));
      return back instanceof Uint8Array && back.length === 2 && back[1] === 255;
    }),
    dates: holds(() =>
      TIMESTAMPS.every(([time, bytes]) => hex(write(new Date(time))) === bytes) &&
      [...TIMESTAMPS.map(([time]) => time), 8.64e15, -8.64e15].every((time) => {
        const back = read(write(new Date(time)));
        return back instanceof Date && back.getTime() === time;
      })
    ),
    protoProperty: false, // Libraries refuse to read it, or change its name.
  };
}

function isMessagePack(write: Write, read: Read): boolean {
  const reference = read(REFERENCE);
  const expected = JSON.stringify({ a: [null, true, 1.5, -1, "é", 2 ** 32] });
  return JSON.stringify(reference) === expected &&
    JSON.stringify(read(write(reference))) === expected &&
    MAP_MARKS.includes(write({ a: 1 })[0] as number);
}

/** A library that throws at what it does not know cannot carry it. */
function holds(test: () => boolean): boolean {
  try {
    return test();
  } catch {
    return false;
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
