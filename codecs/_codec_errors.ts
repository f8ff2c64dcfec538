import { CacheError } from "../src/errors.ts";

/** Bytes that are not of this codec. */
export function corrupt(codec: string, reason: string, cause?: unknown): CacheError {
  return new CacheError("corrupt", `Cannot decode ${codec}: ${reason}`, { codec, cause });
}

/** Bytes that claim or yield another size than they should. */
export function wrongSize(codec: string, reason: string, cause?: unknown): CacheError {
  return new CacheError("decoded-size", `Cannot decode ${codec}: ${reason}`, { codec, cause });
}

/** A codec that this runtime has no means for. */
export function unavailable(codec: string, reason: string, cause?: unknown): CacheError {
  return new CacheError("unavailable", `Cannot create ${codec} codec: ${reason}`, {
    codec,
    cause,
  });
}
