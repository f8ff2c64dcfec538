import { readRefusal } from "../_object_store/http.ts";
import { StoreError, type StoreErrorKind } from "../_object_store/store_error.ts";

/** What an answer of the JSON API says of a failure. */
export interface GcsAnswer {
  /** Status of HTTP. */
  readonly status: number;
  /** The reason, such as `notFound`. */
  readonly reason: string | undefined;
  /** Whether it is the bucket that is missing. */
  readonly isBucketMissing: boolean;
  /** The least to wait before another attempt, in milliseconds. */
  readonly retryAfter: number | undefined;
}

const KINDS: Readonly<Record<string, StoreErrorKind>> = {
  authError: "credentials",
  required: "credentials",
  insufficientPermissions: "forbidden",
  forbidden: "forbidden",
  userRateLimitExceeded: "throttled",
  rateLimitExceeded: "throttled",
  backendError: "server",
  internalError: "server",
};

/** Reads a refusal. */
export async function gcsAnswerOf(
  response: Response,
  signal: AbortSignal | undefined,
): Promise<GcsAnswer> {
  const { status, text, retryAfter } = await readRefusal(response, signal);
  return { ...parseGcsAnswer(status, text), retryAfter };
}

/** What the body of a refusal says. */
export function parseGcsAnswer(status: number, text: string): Omit<GcsAnswer, "retryAfter"> {
  const isBucketMissing = status === 404 && /bucket does not exist/i.test(text);
  try {
    const reason: unknown = JSON.parse(text)?.error?.errors?.[0]?.reason;
    return { status, reason: typeof reason === "string" ? reason : undefined, isBucketMissing };
  } catch {
    // Media have refusals in plain text.
    return { status, reason: undefined, isBucketMissing };
  }
}

/** What an answer means. */
export function gcsError(answer: Omit<GcsAnswer, "retryAfter"> & Partial<GcsAnswer>): StoreError {
  const { status, reason, isBucketMissing, retryAfter } = answer;
  const detail = reason ?? String(status);
  if (isBucketMissing) return new StoreError("missing-place", { detail });
  const known = reason !== undefined && Object.hasOwn(KINDS, reason) ? KINDS[reason] : undefined;
  return new StoreError(known ?? kindOfStatus(status), { detail, retryAfter });
}

function kindOfStatus(status: number): StoreErrorKind {
  if (status === 401) return "credentials";
  if (status === 403) return "forbidden";
  if (status === 429 || status === 503) return "throttled";
  if (status === 501 || status === 405) return "unsupported";
  if (status >= 500) return "server";
  return status >= 400 ? "rejected" : "foreign";
}
