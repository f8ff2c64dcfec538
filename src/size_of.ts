/*
 * Costs in bytes, set between what V8 (Deno, Node) and JavaScriptCore (Bun)
 * were measured to take, nearer to the dearer one; bench/memory_limit.ts shows
 * what that leads to.
 */

/** Cell, length, hash and rounding of a string. */
const STRING_BYTES = 32;
/** A number that is no small integer has a box of its own in V8. */
const BOXED_NUMBER_BYTES = 16;
const REFERENCE_BYTES = 8;
const OBJECT_BYTES = 40;
/** Properties for which every object has room. */
const INLINE_PROPERTIES = 3;
/** From here on an object is a hash table, and its names are likely its own. */
const DICTIONARY_PROPERTIES = 64;
const DICTIONARY_SLOT_BYTES = 48;
const ARRAY_BYTES = 64;
const MAP_BYTES = 160;
const MAP_ENTRY_BYTES = 48;
const SET_ENTRY_BYTES = 32;
const DATE_BYTES = 96;
const REGEXP_BYTES = 256;
/** View, buffer object, and what the runtime keeps outside of the heap about either. */
const VIEW_BYTES = 144;
const BUFFER_BYTES = 144;
const FUNCTION_BYTES = 64;

/** Arrays longer than this are looked at for holes first. */
const LONG_ARRAY = 65_536;
const HOLE_PROBES = 64;

/** One character that needs two bytes makes the whole string take two bytes each. */
const TWO_BYTES = /[^\0-\xff]/;

/**
 * Estimates how many bytes of memory a live value keeps from being freed: its
 * own, and those of all that it refers to. What it refers to twice counts once;
 * a view counts the whole of its buffer. What the language does not show, such
 * as a closure's variables, does not count.
 *
 * Takes time in proportion to the number of objects, and no stack: values may
 * be nested as deep as they like, also in a circle.
 *
 * @param value of any type.
 * @returns bytes, rather too many than too few.
 *
 * @example
 * ```ts
 * import { sizeOf } from "./size_of.ts";
 *
 * console.assert(sizeOf(new Float32Array(1536)) > 6144);
 * ```
 */
export function sizeOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return sizeOfPrimitive(value);
  if (ArrayBuffer.isView(value)) return VIEW_BYTES + BUFFER_BYTES + value.buffer.byteLength;
  return new Walk().sizeOf(value);
}

/** One walk over everything that a value refers to. */
class Walk {
  readonly #seen = new Set<object>();
  readonly #open: object[] = [];

  sizeOf(root: object): number {
    let bytes = this.#meet(root);
    for (let next = this.#open.pop(); next !== undefined; next = this.#open.pop()) {
      bytes += this.#sizeOfObject(next);
    }
    return bytes;
  }

  /** Bytes of what is not an object; objects are kept for later, and cost nothing yet. */
  #meet(value: unknown): number {
    if (typeof value !== "object" || value === null) return sizeOfPrimitive(value);
    if (!this.#seen.has(value)) {
      this.#seen.add(value);
      this.#open.push(value);
    }
    return 0;
  }

  #sizeOfObject(value: object): number {
    if (Array.isArray(value)) return this.#sizeOfArray(value);
    if (ArrayBuffer.isView(value)) return VIEW_BYTES + this.#meet(value.buffer);
    if (value instanceof Map) return this.#sizeOfMap(value);
    if (value instanceof Set) return this.#sizeOfSet(value);
    if (value instanceof Date) return DATE_BYTES;
    if (value instanceof RegExp) return REGEXP_BYTES + sizeOfPrimitive(value.source);
    if (isBuffer(value)) return BUFFER_BYTES + value.byteLength;
    return this.#sizeOfRecord(value as Record<string, unknown>);
  }

  #sizeOfArray(array: readonly unknown[]): number {
    const { length } = array;
    if (length > LONG_ARRAY && isSparse(array)) {
      return ARRAY_BYTES + this.#sizeOfRecord(array as unknown as Record<string, unknown>);
    }
    let bytes = ARRAY_BYTES + length * REFERENCE_BYTES;
    let at = 0;
    // Numbers that are among themselves have no boxes.
    while (at < length && typeof array[at] === "number") at++;
    if (at === length) return bytes;
    for (at = 0; at < length; at++) bytes += this.#meet(array[at]);
    return bytes;
  }

  #sizeOfMap(map: ReadonlyMap<unknown, unknown>): number {
    let bytes = MAP_BYTES + map.size * MAP_ENTRY_BYTES;
    for (const [key, value] of map) bytes += this.#meet(key) + this.#meet(value);
    return bytes;
  }

  #sizeOfSet(set: ReadonlySet<unknown>): number {
    let bytes = MAP_BYTES + set.size * SET_ENTRY_BYTES;
    for (const value of set) bytes += this.#meet(value);
    return bytes;
  }

  #sizeOfRecord(record: Readonly<Record<string, unknown>>): number {
    const names = Object.keys(record);
    let bytes = OBJECT_BYTES + Math.max(names.length, INLINE_PROPERTIES) * REFERENCE_BYTES;
    for (const name of names) bytes += this.#meet(record[name]);
    if (names.length > DICTIONARY_PROPERTIES) {
      for (const name of names) bytes += DICTIONARY_SLOT_BYTES + sizeOfPrimitive(name);
    }
    return bytes;
  }
}

function sizeOfPrimitive(value: unknown): number {
  switch (typeof value) {
    case "string":
      return STRING_BYTES + (TWO_BYTES.test(value) ? value.length * 2 : value.length);
    case "number":
      return (value | 0) === value ? 0 : BOXED_NUMBER_BYTES;
    case "bigint":
      return sizeOfBigInt(value);
    case "function":
      return FUNCTION_BYTES;
    default:
      return 0;
  }
}

function sizeOfBigInt(value: bigint): number {
  return BOXED_NUMBER_BYTES +
    (BigInt.asIntN(64, value) === value ? 8 : value.toString(16).length / 2);
}

/** Tells an array with mostly holes, which holds its elements by name, from one with an element at most places. */
function isSparse(array: readonly unknown[]): boolean {
  let holes = 0;
  for (let probe = 0; probe < HOLE_PROBES; probe++) {
    if (!(Math.floor(array.length * probe / HOLE_PROBES) in array)) holes++;
  }
  return holes > HOLE_PROBES / 2;
}

function isBuffer(value: object): value is ArrayBufferLike {
  return value instanceof ArrayBuffer ||
    typeof SharedArrayBuffer !== "undefined" && value instanceof SharedArrayBuffer;
}
