import { show } from "./config.ts";
import { CacheError } from "./errors.ts";

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

/**
 * Makes vectors of what a model returns, all of one length, and checks them.
 *
 * @throws {CacheError} `"invalid-result"` naming the index of what is wrong.
 */
export function toVectors(
  vectors: unknown,
  count: number,
  dimensions: number | undefined,
): Float32Array[] {
  if (!Array.isArray(vectors)) {
    throw invalid(`model must return an array of vectors: current value is ${show(vectors)}`);
  }
  if (vectors.length !== count) {
    throw invalid(
      `model must return one vector for each text: it returned ${vectors.length} for ${count}`,
    );
  }
  let length = dimensions;
  return Array.from(vectors, (value, at) => {
    try {
      const vector = toVector(value, length, `vector ${at}`);
      length ??= vector.length;
      return vector;
    } catch (error) {
      throw invalid((error as Error).message, error);
    }
  });
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

function invalid(reason: string, cause?: unknown): CacheError {
  return new CacheError("invalid-result", `Cannot cache embeddings: ${reason}`, { cause });
}
