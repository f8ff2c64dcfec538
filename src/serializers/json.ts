import type { Serializer } from "../types.ts";
import { type Carried, checkCarried } from "./_carry.ts";

const CARRIED: Carried = {
  name: "json",
  negativeZero: false,
  nonFinite: false,
  loneSurrogates: true, // JSON.stringify escapes them.
  bytes: false,
  dates: false,
  protoProperty: true, // JSON.parse makes it a property, not the prototype.
};

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * JSON as UTF-8. It carries null, booleans, finite numbers except -0, strings,
 * arrays without holes and plain objects; anything else is refused, never
 * changed. Nesting ends at 1,000 levels.
 *
 * @example
 * ```ts
 * import { jsonSerializer } from "@strata/cache";
 *
 * const bytes = jsonSerializer.encode({ hits: [1, 2] });
 * console.assert(new TextDecoder().decode(bytes) === '{"hits":[1,2]}');
 * ```
 */
export const jsonSerializer: Serializer = {
  name: "json",
  id: 1,

  encode(value: unknown): Uint8Array {
    checkCarried(value, CARRIED);
    return encoder.encode(stringify(value));
  },

  decode(bytes: Uint8Array): unknown {
    return JSON.parse(decoder.decode(bytes));
  },
};

function stringify(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new TypeError("Cannot store value: its JSON is longer than a string can be", { cause });
  }
}
