import { CacheError, type CacheErrorCode, isCacheError } from "../../src/errors.ts";
import type { ObjectStore } from "./object_store.ts";
import { StoreError, type StoreErrorKind } from "./store_error.ts";

/** What an operation is about. */
export interface FailureOptions {
  /** The backend concerned. */
  readonly backend: string;
  /** Begins the message, as in `Cannot read from S3`. */
  readonly action: string;
  /** The key, as its caller gave it. */
  readonly key?: string | undefined;
}

interface Meaning {
  readonly code: CacheErrorCode;
  readonly reason: (place: string) => string;
}

const MEANINGS: Readonly<Record<StoreErrorKind, Meaning>> = {
  "missing-place": {
    code: "unavailable",
    reason: (place) => `there is no such ${place}: create it, or correct '${place}'`,
  },
  "invalid-place": {
    code: "unavailable",
    reason: (place) => `the store does not accept the name of the ${place}: correct '${place}'`,
  },
  "wrong-region": {
    code: "unavailable",
    reason: (place) => `the ${place} is in another region: correct the region or the endpoint`,
  },
  credentials: {
    code: "unavailable",
    reason: () => "there are no credentials, or the store does not accept them",
  },
  forbidden: {
    code: "backend",
    reason: (place) =>
      `the credentials do not allow it: they need to read, write, delete and list the objects of the ${place}`,
  },
  clock: {
    code: "unavailable",
    reason: () => "this machine's clock is too far from the store's: set it",
  },
  throttled: { code: "unavailable", reason: () => "the store asks to slow down" },
  server: { code: "unavailable", reason: () => "the store fails" },
  network: { code: "unavailable", reason: () => "the store cannot be reached" },
  truncated: { code: "unavailable", reason: () => "the answer ended early" },
  unsupported: { code: "unavailable", reason: () => "the store cannot do this" },
  rejected: { code: "backend", reason: () => "the store refuses the request" },
  foreign: {
    code: "unavailable",
    reason: () => "what answers there is no such store: correct the endpoint",
  },
};

/** A failure of a store as an error of ours, which shows no secret and no text of others. */
export function storeFailure(
  error: unknown,
  store: Pick<ObjectStore, "place">,
  { backend, action, key }: FailureOptions,
): CacheError {
  if (isCacheError(error)) return error;
  if (!(error instanceof StoreError)) {
    return new CacheError("backend", `${action}: an unknown failure`, {
      backend,
      key,
      cause: new Error(error instanceof Error ? error.name : typeof error),
    });
  }
  const { code, reason } = MEANINGS[error.kind];
  const hint = error.detail === undefined ? "" : ` (${error.detail})`;
  const message = `${action}: ${reason(store.place)}${hint}`;
  return new CacheError(code, message, { backend, key, cause: error });
}

/** A failure that several keys of a call share. */
export function failureOfKeys(
  { code, message, backend, cause }: CacheError,
  keys: readonly string[],
): CacheError {
  const count = keys.length === 1 ? "1 key" : `${keys.length} keys`;
  return new CacheError(code, `${message}: so for ${count}`, { backend, keys, cause });
}
