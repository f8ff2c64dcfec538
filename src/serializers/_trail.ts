import { isDetached } from "../entry/dtype.ts";

/** Levels of nesting that a value may have. Native JSON, MessagePack libraries and the stack all manage this many. */
export const MAX_DEPTH = 1000;

/**
 * Arrays and objects that one value may hold. Without a bound, 30 objects that
 * each hold the next one twice would keep a tree writer busy for ever.
 */
const MAX_CONTAINERS = 2 ** 22;

/** Long arrays of numbers: listing their keys costs more than writing them (384 numbers: 21 µs beside 14 in Bun). */
const LISTED_LENGTH = 64;

/** Steps shown at the start and at the end of a long path. */
const SHOWN_STEPS = 8;
const SHOWN_NAME_LENGTH = 40;

/** A property name or, in an array, Map or Set, a position; a Map counts its keys and values alternately. */
export type Step = string | number;

/**
 * The way from the root of a value to the part that a writer is at. It makes
 * the error that names this way, and finds cycles and excessive depth, at the
 * cost of two stores a container.
 */
export class Trail {
  readonly #format: string;
  readonly #remedy: string;
  readonly #steps: Step[] = [];
  readonly #containers: object[] = [];
  #depth = 0;
  #containersLeft = MAX_CONTAINERS;

  /**
   * @param format named in errors.
   * @param remedy ends errors about what another format would carry.
   */
  constructor(format: string, remedy: string) {
    this.#format = format;
    this.#remedy = remedy;
  }

  /** Goes down into a container that stands at a step. */
  enter(container: object, step: Step): void {
    const depth = this.#depth;
    this.#steps[depth] = step;
    this.#containers[depth] = container;
    // At powers of two: a cycle is met at most twice as deep as it is long.
    if (depth >= 16 && (depth & (depth - 1)) === 0 || depth === MAX_DEPTH) this.#checkDepth();
    if (this.#containersLeft-- === 0) {
      this.#depth = depth + 1;
      this.#throw(`more than ${MAX_CONTAINERS} arrays and objects`, this.#depth, "");
    }
    this.#depth = depth + 1;
  }

  /** Goes back up. */
  leave(): void {
    this.#depth--;
  }

  /**
   * Refuses the part at a step of the current container.
   *
   * @param what cannot be carried, as in `a symbol`.
   * @param structuredCan whether the structured format would carry it.
   */
  refuse(what: string, step: Step, structuredCan = false): never {
    this.#steps[this.#depth] = step;
    this.#throw(what, this.#depth + 1, structuredCan ? this.#remedy : "");
  }

  /** Refuses the current container itself. */
  refuseHere(what: string, structuredCan = false): never {
    this.#throw(what, this.#depth, structuredCan ? this.#remedy : "");
  }

  #checkDepth(): void {
    const depth = this.#depth;
    const way = this.#containers;
    const closing = way.findIndex((container, at) => way.indexOf(container) < at);
    if (closing >= 0) this.#throw("a cycle", closing + 1, this.#remedy);
    if (depth === MAX_DEPTH) this.#throw(`more than ${MAX_DEPTH} levels`, depth + 1, "");
  }

  #throw(what: string, length: number, remedy: string): never {
    throw new TypeError(
      `Cannot store value: ${this.#format} cannot carry ${what} at ${this.#path(length)}${remedy}`,
    );
  }

  #path(length: number): string {
    let path = "$";
    for (let at = 1; at < length; at++) {
      if (at === SHOWN_STEPS + 1 && length > 2 * SHOWN_STEPS + 1) {
        path += " … ";
        at = length - SHOWN_STEPS;
      }
      path += showStep(this.#containers[at - 1] as object, this.#steps[at] as Step);
    }
    return path;
  }
}

/** Lists the properties of a plain object, which is the current container; refuses what no format writes. */
export function listProperties(object: object, trail: Trail): string[] {
  const names = Object.keys(object);
  if (Object.getOwnPropertyNames(object).length !== names.length) {
    trail.refuseHere("an object with a hidden property");
  }
  if (Object.getOwnPropertySymbols(object).length > 0) {
    trail.refuseHere("an object with a symbol as key");
  }
  for (const name of names) {
    if (Object.getOwnPropertyDescriptor(object, name)?.get !== undefined) {
      trail.refuse("a getter", name);
    }
  }
  return names;
}

/** Checks that an array, which is the current container, has nothing but elements. Holes are the caller's to find. */
export function checkElementsOnly(array: readonly unknown[], trail: Trail): void {
  if (Object.getOwnPropertySymbols(array).length > 0) {
    trail.refuseHere("an array with a symbol as key");
  }
  if (array.length > LISTED_LENGTH && typeof array[0] === "number") return;
  // Positions come before names in the order of keys.
  const last = Object.keys(array).at(-1);
  if (last !== undefined && !isPosition(last)) trail.refuse("a named property of an array", last);
}

/** What a value of no carried type is called in an error. */
export function describe(value: unknown): string {
  if (typeof value === "bigint") return "a BigInt";
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return `a ${typeof value}`;
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (isDetached(value)) return "the memory of a detached ArrayBuffer";
  if (prototype === null) return "an object without prototype";
  const name = (prototype.constructor as { name?: unknown } | undefined)?.name;
  return typeof name === "string" && name !== "" ? `an instance of ${name}` : "a class instance";
}

/** Whether a key of an array is that of an element. */
export function isPosition(key: string): boolean {
  const position = Number(key);
  return position < 2 ** 32 - 1 && String(position >>> 0) === key;
}

function showStep(container: object, step: Step): string {
  if (container instanceof Map) {
    const position = Math.floor(Number(step) / 2);
    return Number(step) % 2 === 0 ? `<key ${position}>` : `<value ${position}>`;
  }
  if (container instanceof Set) return `<item ${step}>`;
  if (typeof step === "number") return `[${step}]`;
  if (/^[\p{ID_Start}$_][\p{ID_Continue}$]{0,39}$/u.test(step)) return `.${step}`;
  const shown = step.length > SHOWN_NAME_LENGTH ? `${step.slice(0, SHOWN_NAME_LENGTH)}…` : step;
  return `[${JSON.stringify(shown)}]`;
}
