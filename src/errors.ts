/**
 * The errors that callers may want to tell apart. Misuse is a TypeError or
 * RangeError; what goes wrong in operation is a {@linkcode CacheError}.
 *
 * @module
 */

/**
 * What went wrong.
 *
 * - `closed`: the cache or backend is closed.
 * - `timeout`: a tier did not answer within its deadline.
 * - `backend`: a store failed.
 * - `corrupt`: bytes are damaged or were not written by Strata for this key.
 * - `unsupported-format`: a frame names a version, serializer, codec or dtype that is not known here.
 * - `decoded-size`: compressed bytes claim or yield another size than they should.
 * - `replaced`: a value was replaced or removed while it was read as a stream; read it again.
 * - `too-large`: a value that was written as a stream is larger than a value in memory may be.
 * - `unavailable`: something that the config names cannot be loaded or opened here.
 * - `invalid-result`: a model or search returned what cannot be cached.
 */
export type CacheErrorCode =
  | "closed"
  | "timeout"
  | "backend"
  | "corrupt"
  | "unsupported-format"
  | "decoded-size"
  | "replaced"
  | "too-large"
  | "unavailable"
  | "invalid-result";

/** Details of a {@linkcode CacheError}. */
export interface CacheErrorOptions {
  /** The tier or backend concerned. */
  readonly backend?: string | undefined;
  /** The key, as its caller gave it. */
  readonly key?: string | undefined;
  /** The keys of a batch for which it failed, where it did not for all. */
  readonly keys?: readonly string[] | undefined;
  /** The codec or serializer concerned. */
  readonly codec?: string | undefined;
  /** The error behind this one. */
  readonly cause?: unknown;
}

/**
 * An operational failure.
 *
 * @example
 * ```ts
 * import { CacheError, isCacheError } from "@strata/cache";
 *
 * const error: unknown = new CacheError("timeout", "Cannot read from tier redis: no answer within 500 ms");
 * console.assert(isCacheError(error, "timeout"));
 * ```
 */
export class CacheError extends Error {
  /** What went wrong, to be compared with. */
  readonly code: CacheErrorCode;
  /** The tier or backend concerned. */
  readonly backend: string | undefined;
  /** The key, as its caller gave it. */
  readonly key: string | undefined;
  /** The keys of a batch for which it failed, where it did not for all. */
  readonly keys: readonly string[] | undefined;
  /** The codec or serializer concerned. */
  readonly codec: string | undefined;

  /** Creates an error with a code, a message and its details. */
  constructor(code: CacheErrorCode, message: string, options: CacheErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "CacheError";
    this.code = code;
    this.backend = options.backend;
    this.key = options.key;
    this.keys = options.keys;
    this.codec = options.codec;
  }
}

/**
 * Tells whether something caught is a {@linkcode CacheError}, of one code if that is given.
 *
 * @param error what was caught.
 * @param code the code it must have.
 * @returns whether it is.
 */
export function isCacheError(error: unknown, code?: CacheErrorCode): error is CacheError {
  return error instanceof CacheError && (code === undefined || error.code === code);
}
