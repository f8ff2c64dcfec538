/*
 * A text for any plain value, the same for equal values and different for
 * different ones, whatever the order of keys. Commas stand only between
 * brackets or in quotes, "|", "#" and ";" only in quotes, so that texts can be
 * joined by any of them.
 *
 *   null  undefined  true  false  1  -0  NaN  Infinity  5n  "text"
 *   [a,b]                 array; a hole is undefined
 *   {"key":a}             plain object, keys in order of code units; a property that is undefined is absent
 *   Set{a,b}  Map{a=>b}   members in order of their texts
 *   Date(ms)  RegExp("source","flags")  Float32Array(hexadecimal bytes)
 */

/** The depth at which nesting is taken for a mistake, well before the stack ends. */
const MAX_DEPTH = 200;

const HEX: readonly string[] = Array.from(
  { length: 256 },
  (_, byte) => byte.toString(16).padStart(2, "0"),
);

/**
 * Makes the canonical text of a value.
 *
 * @param value what is to be told apart from other values.
 * @param subject begins the message of an error, as in `Cannot make query key`.
 * @param name names the value in messages, as in `filters`.
 * @throws {TypeError} naming the path, for what has no content to compare: functions, symbols, cycles, instances of classes.
 */
export function canonical(value: unknown, subject: string, name: string): string {
  // What most keys are made of needs no path.
  if (typeof value === "string") return JSON.stringify(value);
  return new Canonicalizer(subject, name).write(value);
}

class Canonicalizer {
  readonly #subject: string;
  readonly #path: string[];
  readonly #ancestors: object[] = [];

  constructor(subject: string, name: string) {
    this.#subject = subject;
    this.#path = [name];
  }

  write(value: unknown): string {
    switch (typeof value) {
      case "string":
        return JSON.stringify(value);
      case "number":
        return Object.is(value, -0) ? "-0" : String(value);
      case "bigint":
        return `${value}n`;
      case "undefined":
      case "boolean":
        return String(value);
      case "object":
        return value === null ? "null" : this.#writeObject(value);
      default:
        this.#fail(`is a ${typeof value}`);
    }
  }

  #writeObject(value: object): string {
    if (this.#ancestors.includes(value)) this.#fail("refers back to what holds it");
    if (this.#ancestors.length === MAX_DEPTH) this.#fail(`is nested more than ${MAX_DEPTH} deep`);
    this.#ancestors.push(value);
    const text = this.#writeByKind(value);
    this.#ancestors.pop();
    return text;
  }

  #writeByKind(value: object): string {
    if (Array.isArray(value)) return this.#writeArray(value);
    if (ArrayBuffer.isView(value)) {
      return writeBytes(value, new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    }
    if (value instanceof ArrayBuffer) return writeBytes(value, new Uint8Array(value));
    if (value instanceof Date) return `Date(${value.getTime()})`;
    if (value instanceof RegExp) {
      // lastIndex is where a search stands, not what it looks for.
      return `RegExp(${JSON.stringify(value.source)},${JSON.stringify(value.flags)})`;
    }
    if (value instanceof Set) {
      const members = [...value].map((member) => this.#writeAt(" member", member));
      return `Set{${members.sort().join(",")}}`;
    }
    if (value instanceof Map) {
      const members = Array.from(
        value,
        ([key, member]) => `${this.#writeAt(" key", key)}=>${this.#writeAt(" value", member)}`,
      );
      return `Map{${members.sort().join(",")}}`;
    }
    if (!isPlain(value)) {
      this.#fail(`is an instance of ${value.constructor?.name || "a class"}`);
    }
    return this.#writePlain(value as Record<string, unknown>);
  }

  #writeArray(array: readonly unknown[]): string {
    const lastKey = Object.keys(array).at(-1);
    // Indices come first among the keys, so a property that is none comes last.
    if (lastKey !== undefined && String(Number(lastKey) >>> 0) !== lastKey) {
      this.#fail(`is an array with a property ${JSON.stringify(lastKey)}`);
    }
    return `[${Array.from(array, (item, at) => this.#writeAt(`[${at}]`, item)).join(",")}]`;
  }

  #writePlain(object: Record<string, unknown>): string {
    if (Object.getOwnPropertySymbols(object).length > 0) this.#fail("has a symbol as key");
    const members: string[] = [];
    for (const key of Object.keys(object).sort()) {
      const member = object[key];
      if (member === undefined) continue;
      const quoted = JSON.stringify(key);
      const step = /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${quoted}]`;
      members.push(`${quoted}:${this.#writeAt(step, member)}`);
    }
    return `{${members.join(",")}}`;
  }

  #writeAt(step: string, value: unknown): string {
    this.#path.push(step);
    const text = this.write(value);
    this.#path.pop();
    return text;
  }

  #fail(flaw: string): never {
    throw new TypeError(
      `${this.#subject}: '${this.#path.join("")}' ${flaw}: give plain data instead`,
    );
  }
}

function writeBytes(value: object, bytes: Uint8Array): string {
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  return `${kind}(${Array.from(bytes, (byte) => HEX[byte]).join("")})`;
}

/** Whether an object is a record of its properties and nothing else; also one of another realm or without a prototype. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype ||
    Object.getPrototypeOf(prototype) === null &&
      Object.hasOwn(prototype as object, "isPrototypeOf");
}
