/*
 * Costs in bytes, set between what V8 (Deno, Node) and JavaScriptCore (Bun)
 * were measured to take, nearer to the dearer one; bench/memory_limit.ts shows
 * what that leads to.
 */

/** Cell, length, hash and rounding of a string. */
const STRING_BYTES = 36;
/** A number that is no small integer has a box of its own in V8. */
const BOXED_NUMBER_BYTES = 16;
const OBJECT_BYTES = 60;
/** Properties for which every object has room. */
const INLINE_PROPERTIES = 3;
const PROPERTY_BYTES = 8;
/** An object with more properties is a hash table, and its names are likely its own. */
const MAX_FIELDS = 64;
/** One with more than so many is taken for a table when its names look like ids. */
const MAX_FIELDS_WITH_DIGITS = 8;
const TABLE_SLOT_BYTES = 72;
const ARRAY_BYTES = 64;
/** A reference or an unboxed number, and some of the room that an array made by `push` has left. */
const ELEMENT_BYTES = 9;
/** JavaScriptCore gives maps and sets room for twice to eight times what is in them; V8 takes a third of that. */
const MAP_BYTES = 160;
const FIRST_MAP_CAPACITY = 8;
const MAP_GROWTH = 4;
const MAP_SLOT_BYTES = 22;
const DATE_BYTES = 96;
const REGEXP_BYTES = 256;
/** View, buffer object, and what the runtime keeps outside of the heap about either. */
const VIEW_BYTES = 144;
const BUFFER_BYTES = 144;
const FUNCTION_BYTES = 96;

/** Arrays longer than this are looked at for holes first. */
const LONG_ARRAY = 65_536;
const HOLE_PROBES = 64;

/** One character that needs two bytes makes the whole string take two bytes each. */
const TWO_BYTES = /[^\0-\xff]/;
const DIGIT = /\d/;

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
    let bytes = ARRAY_BYTES + length * ELEMENT_BYTES;
    let at = 0;
    // Numbers that are among themselves have no boxes.
    while (at < length && typeof array[at] === "number") at++;
    if (at === length) return bytes;
    for (at = 0; at < length; at++) bytes += this.#meet(array[at]);
    return bytes;
  }

  #sizeOfMap(map: ReadonlyMap<unknown, unknown>): number {
    let bytes = sizeOfTable(map.size);
    for (const [key, value] of map) bytes += this.#meet(key) + this.#meet(value);
    return bytes;
  }

  #sizeOfSet(set: ReadonlySet<unknown>): number {
    let bytes = sizeOfTable(set.size);
    for (const value of set) bytes += this.#meet(value);
    return bytes;
  }

  #sizeOfRecord(record: Readonly<Record<string, unknown>>): number {
    const names = Object.keys(record);
    let bytes = OBJECT_BYTES + Math.max(names.length, INLINE_PROPERTIES) * PROPERTY_BYTES;
    for (const name of names) bytes += this.#meet(record[name]);
    if (isTable(names)) {
      for (const name of names) bytes += TABLE_SLOT_BYTES + sizeOfPrimitive(name);
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

/** Of a map or set with so many members, without them. */
function sizeOfTable(size: number): number {
  let capacity = FIRST_MAP_CAPACITY;
  while (capacity < size * 2) capacity *= MAP_GROWTH;
  return MAP_BYTES + capacity * MAP_SLOT_BYTES;
}

/** Tells an object whose names are its own, as in `{ "doc-17": 0.5 }`, from one that shares them with others of its shape. */
function isTable(names: readonly string[]): boolean {
  const { length } = names;
  return length > MAX_FIELDS ||
    length > MAX_FIELDS_WITH_DIGITS && DIGIT.test(names[0]!) && DIGIT.test(names[length - 1]!);
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
