import type { Serializer } from "../types.ts";
import { StructuredDecoder } from "./_structured_decoder.ts";
import { StructuredEncoder } from "./_structured_encoder.ts";

/**
 * A compact binary format of Strata's own that carries what a structured clone
 * carries of plain data: undefined, null, booleans, every number, BigInt, any
 * string, Date, RegExp, Map, Set, arrays with holes, plain objects with or
 * without prototype, ArrayBuffer and its views; shared parts stay shared and
 * cycles close. Functions, symbols, getters and class instances are refused.
 * Nesting ends at 1,000 levels. Its byte table stands in
 * `_structured_format.ts`.
 *
 * @example
 * ```ts
 * import { structuredSerializer } from "@strata/cache";
 *
 * const bytes = structuredSerializer.encode(new Map([["seen", new Set([1n])]]));
 * const map = structuredSerializer.decode(bytes) as Map<string, Set<bigint>>;
 * console.assert(map.get("seen")?.has(1n));
 * ```
 */
export const structuredSerializer: Serializer = {
  name: "structured",
  id: 3,

  encode(value: unknown): Uint8Array {
    return new StructuredEncoder().encode(value);
  },

  decode(bytes: Uint8Array): unknown {
    return new StructuredDecoder(bytes).decode();
  },
};
