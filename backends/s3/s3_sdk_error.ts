import { dateOf, retryAfterOf } from "../_object_store/http.ts";
import { StoreError } from "../_object_store/store_error.ts";
import type { S3Answer } from "../_s3_api/s3_error.ts";

/** What is used of an error of the client. */
interface SdkError {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

/** What an error of the client says of the store's answer; its own text goes no further. */
export function answerOfSdkError(error: unknown): S3Answer {
  const { name, $metadata, $response } = (error ?? {}) as SdkError;
  const status = $metadata?.httpStatusCode;
  const known = typeof name === "string" &&
    !/^(?:Error|TypeError|Unknown|UnknownError|S3ServiceException)$/.test(name);
  // The code of a HEAD is its status in words.
  const code = known && !/^\d*$/.test(name) ? name : undefined;
  return { status, code, retryAfter: retryAfterOf((name) => $response?.headers?.[name]) };
}

/** Failures that reached no store, `undefined` for others. */
export function localError(error: unknown): StoreError | undefined {
  if (error instanceof StoreError) return error;
  const { name, code, $metadata } = (error ?? {}) as SdkError;
  if (name === "CredentialsProviderError" || name === "TokenProviderError") {
    return new StoreError("credentials", { detail: String(name) });
  }
  if (error instanceof Error && /^Region is missing/.test(error.message)) {
    return new StoreError("wrong-region", { detail: "NoRegion" });
  }
  if ($metadata?.httpStatusCode !== undefined) return undefined;
  return new StoreError("network", { detail: typeof code === "string" ? code : String(name) });
}

/** When an answer that the client took for an error was given. */
export function timeOfSdkError(error: unknown): number | undefined {
  return dateOf(((error ?? {}) as SdkError).$response?.headers?.["date"]);
}
