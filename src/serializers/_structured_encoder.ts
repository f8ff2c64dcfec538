import { bytesOf, dtypeOf, isBinary } from "../entry/dtype.ts";
import { builtinKind } from "./_builtin_kind.ts";
import { ByteWriter } from "./_byte_writer.ts";
import * as format from "./_structured_format.ts";
import {
  checkElementsOnly,
  describe,
  isPosition,
  listProperties,
  type Step,
  Trail,
} from "./_trail.ts";

/** Writes one value; made for each value anew. */
export class StructuredEncoder {
  readonly #out = new ByteWriter();
  readonly #trail = new Trail("structured", "");
  readonly #objects = new Map<object, number>();
  readonly #names = new Map<string, number>();

  /** @throws {TypeError} naming the path of what cannot be carried. */
  encode(value: unknown): Uint8Array {
    this.#out.u8(format.STRUCTURED_VERSION);
    this.#write(value, "");
    return this.#out.finish();
  }

  #write(value: unknown, step: Step): void {
    switch (typeof value) {
      case "string":
        return this.#writeString(value);
      case "number":
        return this.#writeNumber(value);
      case "boolean":
        return this.#out.u8(value ? format.TAG_TRUE : format.TAG_FALSE);
      case "undefined":
        return this.#out.u8(format.TAG_UNDEFINED);
      case "bigint":
        return this.#writeBigInt(value);
      case "object":
        if (value === null) return this.#out.u8(format.TAG_NULL);
        return this.#writeObject(value, step);
      default:
        this.#trail.refuse(describe(value), step);
    }
  }

  #writeNumber(value: number): void {
    const out = this.#out;
    if ((value | 0) === value && !Object.is(value, -0)) {
      if (value >= 0 && value < format.TAG_SHORT_STRING) return out.u8(value);
      out.u8(format.TAG_INTEGER);
      out.varint((value << 1 ^ value >> 31) >>> 0);
    } else {
      out.u8(format.TAG_NUMBER);
      out.f64(value);
    }
  }

  #writeBigInt(value: bigint): void {
    const magnitude = (value < 0n ? -value : value).toString(16);
    const bytes = new Uint8Array(Math.ceil(magnitude.length / 2));
    for (let at = 0; at < bytes.length; at++) {
      const end = magnitude.length - 2 * at;
      bytes[at] = parseInt(magnitude.slice(Math.max(0, end - 2), end), 16);
    }
    this.#out.u8(value < 0n ? format.TAG_NEGATIVE_BIGINT : format.TAG_BIGINT);
    this.#out.varint(bytes.length);
    this.#out.bytes(bytes);
  }

  #writeString(value: string): void {
    const out = this.#out;
    if (out.shortAscii(format.TAG_SHORT_STRING, value)) return;
    if (value.isWellFormed()) {
      out.u8(format.TAG_UTF8);
      out.utf8(value);
    } else {
      out.u8(format.TAG_UTF16);
      out.utf16(value);
    }
  }

  #writeObject(value: object, step: Step): void {
    const seen = this.#objects.get(value);
    if (seen !== undefined) {
      this.#out.u8(format.TAG_SEEN);
      return this.#out.varint(seen);
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    this.#objects.set(value, this.#objects.size);
    this.#trail.enter(value, step);
    if (prototype === Object.prototype) this.#writeProperties(format.TAG_OBJECT, value);
    else if (prototype === null) this.#writeProperties(format.TAG_BARE_OBJECT, value);
    else if (prototype === Array.prototype && Array.isArray(value)) this.#writeArray(value);
    else if (isBinary(value)) this.#writeBytes(value);
    else this.#writeBuiltin(value);
    this.#trail.leave();
  }

  #writeProperties(tag: number, object: object): void {
    const out = this.#out;
    const names = listProperties(object, this.#trail);
    out.u8(tag);
    out.varint(names.length);
    for (const name of names) {
      const number = this.#names.get(name);
      if (number === undefined) {
        this.#names.set(name, this.#names.size + 1);
        out.u8(0);
        this.#writeString(name);
      } else {
        out.varint(number);
      }
      this.#write((object as Record<string, unknown>)[name], name);
    }
  }

  #writeArray(array: readonly unknown[]): void {
    checkElementsOnly(array, this.#trail);
    if (hasHoles(array)) return this.#writeSparseArray(array);
    this.#out.u8(format.TAG_ARRAY);
    this.#out.varint(array.length);
    for (let at = 0; at < array.length; at++) this.#write(array[at], at);
  }

  #writeSparseArray(array: readonly unknown[]): void {
    const positions = Object.keys(array);
    this.#out.u8(format.TAG_SPARSE_ARRAY);
    this.#out.varint(array.length);
    this.#out.varint(positions.length);
    for (const position of positions) {
      if (!isPosition(position)) this.#trail.refuse("a named property of an array", position);
      const at = Number(position);
      this.#out.varint(at);
      this.#write(array[at], at);
    }
  }

  #writeBytes(value: ArrayBuffer | ArrayBufferView): void {
    const bytes = bytesOf(value);
    this.#out.u8(format.TAG_BYTES);
    this.#out.u8(dtypeOf(value));
    this.#out.varint(bytes.length);
    this.#out.bytes(bytes);
  }

  #writeBuiltin(value: object): void {
    switch (builtinKind(value)) {
      case "Map":
        return this.#writeMap(value as Map<unknown, unknown>);
      case "Set":
        return this.#writeSet(value as Set<unknown>);
      case "Date":
        this.#checkBare(value, 0);
        this.#out.u8(format.TAG_DATE);
        return this.#out.f64((value as Date).getTime());
      case "RegExp":
        this.#checkBare(value, 1); // `lastIndex`
        this.#out.u8(format.TAG_REGEXP);
        this.#writeString((value as RegExp).source);
        return this.#writeString((value as RegExp).flags);
      default:
        this.#trail.refuseHere(describe(value));
    }
  }

  #writeMap(map: ReadonlyMap<unknown, unknown>): void {
    this.#checkBare(map, 0);
    this.#out.u8(format.TAG_MAP);
    this.#out.varint(map.size);
    let position = 0;
    for (const [key, value] of map) {
      this.#write(key, position++);
      this.#write(value, position++);
    }
  }

  #writeSet(set: ReadonlySet<unknown>): void {
    this.#checkBare(set, 0);
    this.#out.u8(format.TAG_SET);
    this.#out.varint(set.size);
    let position = 0;
    for (const value of set) this.#write(value, position++);
  }

  /** Refuses a built-in object on which someone has set properties. */
  #checkBare(value: object, ownKeys: number): void {
    if (Reflect.ownKeys(value).length !== ownKeys) {
      this.#trail.refuseHere(`${describe(value)} with properties of its own`);
    }
  }
}

/** Ends at the first hole, so an array of length 2^32 - 1 with one element costs little. */
function hasHoles(array: readonly unknown[]): boolean {
  for (let at = 0; at < array.length; at++) {
    if (array[at] === undefined && !(at in array)) return true;
  }
  return false;
}
