import { show } from "./config.ts";

/** Whether something read from a cache is a vector, of a length if that is given. */
export function isVector(value: unknown, dimensions: number | undefined): value is Float32Array {
  return value instanceof Float32Array &&
    (dimensions === undefined ? value.length > 0 : value.length === dimensions);
}

/**
 * Makes a vector of what a caller or a model hands over, and checks it.
 *
 * @param dimensions the length it must have, `undefined` for any but 0.
 * @param subject begins the message of an error.
 * @returns the same array where it is a Float32Array, else a new one.
 * @throws {TypeError} when it is neither a Float32Array nor an array of numbers.
 * @throws {RangeError} when its length is wrong or a number is not finite as float32.
 */
export function toVector(
  value: unknown,
  dimensions: number | undefined,
  subject: string,
): Float32Array {
  const given = isNumbers(value) ? value : undefined;
  if (given === undefined) {
    throw new TypeError(
      `${subject} must be a Float32Array or an array of numbers: current value is ${
        describe(value)
      }`,
    );
  }
  if (given.length === 0) throw new RangeError(`${subject} must not be empty`);
  if (dimensions !== undefined && given.length !== dimensions) {
    throw new RangeError(
      `${subject} must have ${dimensions} dimensions: current value has ${given.length}`,
    );
  }
  // Memory shared with other threads may change after the check.
  const vector = given instanceof Float32Array && given.buffer instanceof ArrayBuffer
    ? given
    : new Float32Array(given);
  for (let at = 0; at < vector.length; at++) {
    if (!Number.isFinite(vector[at])) {
      throw new RangeError(
        `${subject} must hold numbers that are finite as float32: element ${at} is ${given[at]}`,
      );
    }
  }
  return vector;
}

function isNumbers(value: unknown): value is Float32Array | readonly number[] {
  if (value instanceof Float32Array) return true;
  if (!Array.isArray(value)) return false;
  for (let at = 0; at < value.length; at++) {
    if (typeof value[at] !== "number") return false;
  }
  return true;
}

function describe(value: unknown): string {
  if (Array.isArray(value)) {
    const at = value.findIndex((element) => typeof element !== "number");
    return `an array whose element ${at} is ${show(value[at])}`;
  }
  return ArrayBuffer.isView(value) ? `a ${value.constructor.name}` : show(value);
}
