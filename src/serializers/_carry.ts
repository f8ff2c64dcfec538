import { isBinary } from "../entry/dtype.ts";
import { builtinKind } from "./_builtin_kind.ts";
import { checkElementsOnly, describe, listProperties, type Step, Trail } from "./_trail.ts";

/** What a format brings back as it was, besides null, booleans, numbers, strings, arrays and plain objects. */
export interface Carried {
  /** Names the format in errors. */
  readonly name: string;
  /** Also -0. */
  readonly negativeZero: boolean;
  /** Also NaN and both infinities. */
  readonly nonFinite: boolean;
  /** Also strings that are not well-formed UTF-16. */
  readonly loneSurrogates: boolean;
  /** Also `Uint8Array`. */
  readonly bytes: boolean;
  /** Also `Date`, unless it is invalid. */
  readonly dates: boolean;
  /** Also a property named `__proto__`. */
  readonly protoProperty: boolean;
}

const REMEDY = ': use serializationFormat "structured"';

/**
 * Walks a value once and refuses what would not come back from a format as it was.
 *
 * @throws {TypeError} naming the path inside the value.
 */
export function checkCarried(value: unknown, carried: Carried): void {
  check(value, "", carried, new Trail(carried.name, REMEDY));
}

function check(value: unknown, step: Step, carried: Carried, trail: Trail): void {
  switch (typeof value) {
    case "boolean":
      return;
    case "string":
      if (!carried.loneSurrogates && !value.isWellFormed()) {
        trail.refuse("a string with a lone surrogate", step, true);
      }
      return;
    case "number":
      if (value === 0) {
        if (!carried.negativeZero && Object.is(value, -0)) trail.refuse("-0", step, true);
      } else if (!carried.nonFinite && !Number.isFinite(value)) {
        trail.refuse(String(value), step, true);
      }
      return;
    case "undefined":
      return trail.refuse("undefined", step, true);
    case "object":
      return value === null ? undefined : checkObject(value, step, carried, trail);
    default:
      trail.refuse(describe(value), step, typeof value === "bigint");
  }
}

function checkObject(value: object, step: Step, carried: Carried, trail: Trail): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) {
    trail.enter(value, step);
    for (const name of listProperties(value, trail)) {
      if (name === "__proto__" && !carried.protoProperty) {
        trail.refuse("a property named __proto__", name, true);
      }
      if (!carried.loneSurrogates && !name.isWellFormed()) {
        trail.refuse("a property name with a lone surrogate", name, true);
      }
      check((value as Record<string, unknown>)[name], name, carried, trail);
    }
    trail.leave();
  } else if (prototype === Array.prototype && Array.isArray(value)) {
    trail.enter(value, step);
    checkElementsOnly(value, trail);
    for (let at = 0; at < value.length; at++) {
      const element: unknown = value[at];
      if (element === undefined && !(at in value)) trail.refuse("a hole", at, true);
      check(element, at, carried, trail);
    }
    trail.leave();
  } else if (carried.bytes && value instanceof Uint8Array && isBinary(value)) {
    return;
  } else if (carried.dates && builtinKind(value) === "Date") {
    if (Number.isNaN((value as Date).getTime())) trail.refuse("an invalid Date", step, true);
  } else {
    trail.refuse(describe(value), step, wouldBeStructured(value, prototype));
  }
}

/** Whether the structured format would carry what this one does not. */
function wouldBeStructured(value: object, prototype: unknown): boolean {
  return prototype === null || builtinKind(value) !== undefined || isBinary(value);
}
