import { StoreError, type StoreErrorKind } from "../_object_store/store_error.ts";

/** What an answer of S3 says of a failure. */
export interface S3Answer {
  /** Status of HTTP. */
  readonly status: number | undefined;
  /** The store's code, such as `NoSuchBucket`; a HEAD has none. */
  readonly code: string | undefined;
  /** The least to wait before another attempt, in milliseconds. */
  readonly retryAfter?: number | undefined;
}

const KINDS: Readonly<Record<string, StoreErrorKind>> = {
  NoSuchBucket: "missing-place",
  InvalidBucketName: "invalid-place",
  PermanentRedirect: "wrong-region",
  TemporaryRedirect: "wrong-region",
  AuthorizationHeaderMalformed: "wrong-region",
  IllegalLocationConstraintException: "wrong-region",
  InvalidAccessKeyId: "credentials",
  SignatureDoesNotMatch: "credentials",
  ExpiredToken: "credentials",
  InvalidToken: "credentials",
  InvalidClientTokenId: "credentials",
  TokenRefreshRequired: "credentials",
  UnrecognizedClientException: "credentials",
  CredentialsProviderError: "credentials",
  AccessDenied: "forbidden",
  AllAccessDisabled: "forbidden",
  AccountProblem: "forbidden",
  RequestTimeTooSkewed: "clock",
  RequestExpired: "clock",
  SlowDown: "throttled",
  Throttling: "throttled",
  ThrottlingException: "throttled",
  RequestLimitExceeded: "throttled",
  TooManyRequests: "throttled",
  TooManyRequestsException: "throttled",
  ServiceUnavailable: "throttled",
  InternalError: "server",
  OperationAborted: "server",
  NotImplemented: "unsupported",
  MethodNotAllowed: "unsupported",
};

/** Codes of a condition that does not hold, or of a write that another one got ahead of. */
const CONFLICTS: ReadonlySet<string> = new Set([
  "PreconditionFailed",
  "ConditionalRequestConflict",
]);

/** Whether an answer says that a condition does not hold. */
export function isConflict({ status, code }: S3Answer): boolean {
  return status === 412 || (code !== undefined && CONFLICTS.has(code));
}

/** Whether an answer says that an object is not there. A HEAD does not tell it from a missing bucket. */
export function isMissing({ status, code }: S3Answer): boolean {
  return code === "NoSuchKey" || code === "NotFound" || (status === 404 && code === undefined);
}

/** What an answer means. */
export function s3Error({ status, code, retryAfter }: S3Answer): StoreError {
  const detail = code ?? (status === undefined ? undefined : String(status));
  const known = code !== undefined && Object.hasOwn(KINDS, code) ? KINDS[code] : undefined;
  return new StoreError(known ?? kindOfStatus(status), { detail, retryAfter });
}

function kindOfStatus(status: number | undefined): StoreErrorKind {
  if (status === undefined) return "network";
  if (status >= 300 && status < 400) return "wrong-region";
  if (status === 401) return "credentials";
  if (status === 403) return "forbidden";
  if (status === 405 || status === 501) return "unsupported";
  if (status === 429 || status === 503) return "throttled";
  if (status >= 500) return "server";
  return status >= 400 ? "rejected" : "foreign";
}
