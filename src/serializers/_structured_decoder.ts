import { CacheError } from "../errors.ts";
import { isDtypeLength, viewBinary } from "../entry/dtype.ts";
import * as format from "./_structured_format.ts";
import { MAX_DEPTH } from "./_trail.ts";

/** Bytes up to which a loop beats the call into TextDecoder. */
const LOOP_BYTES = 24;

/** Holes in a row up to which an array may be laid out densely; engines switch to a table beyond some such number. */
const DENSE_HOLES = 1024;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads one value; made for each value anew. Every count is compared with the bytes that are left before anything is made of it. */
export class StructuredDecoder {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #objects: object[] = [];
  readonly #names: string[] = [];
  #at = 0;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** @throws {CacheError} `"corrupt"` or `"unsupported-format"` when the bytes are not one whole value. */
  decode(): unknown {
    const version = this.#u8();
    if (version !== format.STRUCTURED_VERSION) {
      throw new CacheError(
        "unsupported-format",
        `Cannot decode value: structured version ${version} is not known here`,
        { codec: "structured" },
      );
    }
    const value = this.#read();
    if (this.#at !== this.#bytes.length) throw corrupt("bytes are left over");
    return value;
  }

  #read(): unknown {
    const tag = this.#u8();
    if (tag < format.TAG_SHORT_STRING) return tag;
    if (tag < format.TAG_UNDEFINED) return this.#ascii(tag - format.TAG_SHORT_STRING);
    switch (tag) {
      case format.TAG_UNDEFINED:
        return undefined;
      case format.TAG_NULL:
        return null;
      case format.TAG_FALSE:
        return false;
      case format.TAG_TRUE:
        return true;
      case format.TAG_INTEGER: {
        const zigzag = this.#varint();
        return zigzag >>> 1 ^ -(zigzag & 1);
      }
      case format.TAG_NUMBER:
        return this.#f64();
      case format.TAG_BIGINT:
        return this.#bigInt();
      case format.TAG_NEGATIVE_BIGINT:
        return -this.#bigInt();
      case format.TAG_UTF8:
      case format.TAG_UTF16:
        return this.#longString(tag);
      case format.TAG_SEEN: {
        const seen = this.#objects[this.#varint()];
        if (seen === undefined) throw corrupt("a reference leads nowhere");
        return seen;
      }
      default:
        return this.#readObject(tag);
    }
  }

  #readObject(tag: number): unknown {
    if (++this.#depth > MAX_DEPTH) throw corrupt(`it has more than ${MAX_DEPTH} levels`);
    const object = this.#readBody(tag);
    this.#depth--;
    return object;
  }

  #readBody(tag: number): object {
    switch (tag) {
      case format.TAG_ARRAY:
        return this.#array();
      case format.TAG_SPARSE_ARRAY:
        return this.#sparseArray();
      case format.TAG_OBJECT:
        return this.#properties(this.#number({}));
      case format.TAG_BARE_OBJECT:
        return this.#properties(this.#number(Object.create(null) as Record<string, unknown>));
      case format.TAG_MAP: {
        const map = this.#number(new Map<unknown, unknown>());
        for (let left = this.#count(2); left > 0; left--) map.set(this.#read(), this.#read());
        return map;
      }
      case format.TAG_SET: {
        const set = this.#number(new Set<unknown>());
        for (let left = this.#count(1); left > 0; left--) set.add(this.#read());
        return set;
      }
      case format.TAG_DATE:
        return this.#number(new Date(this.#f64()));
      case format.TAG_REGEXP:
        return this.#number(this.#regExp());
      case format.TAG_BYTES:
        return this.#number(this.#binary());
      default:
        throw corrupt(`tag ${tag} is not known`);
    }
  }

  /** Gives an object its number, before its parts are read: they may refer to it. */
  #number<T extends object>(object: T): T {
    this.#objects.push(object);
    return object;
  }

  #array(): unknown[] {
    const array = this.#number<unknown[]>([]);
    for (let left = this.#count(1); left > 0; left--) array.push(this.#read());
    return array;
  }

  #sparseArray(): unknown[] {
    const array = this.#number<unknown[]>([]);
    const length = this.#varint();
    let previous = -1;
    for (let left = this.#count(2); left > 0; left--) {
      const at = this.#varint();
      if (at <= previous || at >= length) throw corrupt("positions are out of order");
      array[at] = this.#read();
      previous = at;
    }
    if (length - previous > DENSE_HOLES) {
      // Assigning a length allocates it all; an element far out makes a table of the array first.
      array[length - 1] = undefined;
      delete array[length - 1];
    }
    array.length = length;
    return array;
  }

  #properties(object: Record<string, unknown>): object {
    for (let left = this.#count(2); left > 0; left--) {
      const name = this.#name();
      const value = this.#read();
      if (name === "__proto__") {
        Object.defineProperty(object, name, {
          value,
          writable: true,
          enumerable: true,
          configurable: true,
        });
      } else {
        object[name] = value;
      }
    }
    return object;
  }

  #name(): string {
    const number = this.#varint();
    if (number > 0) {
      const name = this.#names[number - 1];
      if (name === undefined) throw corrupt("a name is missing");
      return name;
    }
    const name = this.#string();
    this.#names.push(name);
    return name;
  }

  #string(): string {
    const tag = this.#u8();
    if (tag >= format.TAG_SHORT_STRING && tag < format.TAG_UNDEFINED) {
      return this.#ascii(tag - format.TAG_SHORT_STRING);
    }
    return this.#longString(tag);
  }

  #longString(tag: number): string {
    if (tag === format.TAG_UTF8) return this.#utf8(this.#count(1));
    if (tag === format.TAG_UTF16) return this.#utf16(this.#count(2));
    throw corrupt(`tag ${tag} is no string`);
  }

  #ascii(length: number): string {
    if (length > LOOP_BYTES) {
      const text = this.#utf8(length);
      if (text.length !== length) throw corrupt("a string is not ASCII");
      return text;
    }
    const end = this.#advance(length);
    let text = "";
    let union = 0;
    for (let at = end - length; at < end; at++) {
      const byte = this.#bytes[at] as number;
      union |= byte;
      text += String.fromCharCode(byte);
    }
    if (union > 0x7f) throw corrupt("a string is not ASCII");
    return text;
  }

  #utf8(length: number): string {
    const end = this.#advance(length);
    return utf8.decode(this.#bytes.subarray(end - length, end));
  }

  #utf16(units: number): string {
    const end = this.#advance(units * 2);
    let text = "";
    for (let at = end - units * 2; at < end; at += 2) {
      text += String.fromCharCode(this.#view.getUint16(at, true));
    }
    return text;
  }

  #bigInt(): bigint {
    const length = this.#count(1);
    const end = this.#advance(length);
    let hex = "";
    for (let at = end - 1; at >= end - length; at--) {
      hex += (this.#bytes[at] as number).toString(16).padStart(2, "0");
    }
    return BigInt(`0x${hex === "" ? "0" : hex}`);
  }

  #regExp(): RegExp {
    const source = this.#string();
    return new RegExp(source, this.#string());
  }

  #binary(): object {
    const dtype = this.#u8();
    const length = this.#count(1);
    if (!isDtypeLength(dtype, length)) throw corrupt(`type ${dtype} with ${length} bytes`);
    const end = this.#advance(length);
    return viewBinary(dtype, new Uint8Array(this.#bytes.subarray(end - length, end)));
  }

  #u8(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw corrupt("it ends too early");
    this.#at++;
    return byte;
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#u8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (shift === 28 && byte > 0x0f) break;
        return value >>> 0;
      }
    }
    throw corrupt("a number has more than 32 bits");
  }

  #f64(): number {
    return this.#view.getFloat64(this.#advance(8) - 8, true);
  }

  /** Reads how many parts of at least some bytes each follow. */
  #count(bytesEach: number): number {
    const count = this.#varint();
    if (count * bytesEach > this.#bytes.length - this.#at) {
      throw corrupt("a count is larger than what is left");
    }
    return count;
  }

  /** Goes over some bytes. @returns where they end. */
  #advance(length: number): number {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw corrupt("it ends too early");
    this.#at = end;
    return end;
  }
}

function corrupt(reason: string): CacheError {
  return new CacheError("corrupt", `Cannot decode value: structured bytes are damaged: ${reason}`, {
    codec: "structured",
  });
}
