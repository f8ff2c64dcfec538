import { dateOf, retryAfterOf } from "../_object_store/http.ts";
import { StoreError, type StoreErrorKind } from "../_object_store/store_error.ts";

/** What is used of an error of the client. */
interface RestErrorLike {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly response?: { readonly headers?: { get?(name: string): string | undefined } };
}

const KINDS: Readonly<Record<string, StoreErrorKind>> = {
  ContainerNotFound: "missing-place",
  ContainerBeingDeleted: "missing-place",
  InvalidResourceName: "invalid-place",
  AuthenticationFailed: "credentials",
  InvalidAuthenticationInfo: "credentials",
  NoAuthenticationInformation: "credentials",
  AccountIsDisabled: "forbidden",
  AuthorizationFailure: "forbidden",
  AuthorizationPermissionMismatch: "forbidden",
  AuthorizationProtocolMismatch: "forbidden",
  AuthorizationServiceMismatch: "forbidden",
  AuthorizationResourceTypeMismatch: "forbidden",
  InsufficientAccountPermissions: "forbidden",
  ServerBusy: "throttled",
  InternalError: "server",
  OperationTimedOut: "server",
};

/** The service takes no request that was signed at another time than this before or after its own. */
const MAX_SKEW_MS = 15 * 60_000;

/** Whether an error is what the service has answered. */
export function isAnswer(error: unknown): boolean {
  return typeof ((error ?? {}) as RestErrorLike).statusCode === "number";
}

/** Whether an error says that a blob is not there. */
export function isMissingBlob(error: unknown): boolean {
  const { statusCode } = (error ?? {}) as RestErrorLike;
  const code = codeOf(error);
  return statusCode === 404 && code !== "ContainerNotFound" && code !== "ContainerBeingDeleted";
}

/** Whether an error says that a condition does not hold. */
export function isAzureConflict(error: unknown): boolean {
  const { statusCode, code } = (error ?? {}) as RestErrorLike;
  return statusCode === 412 || (statusCode === 409 && code === "BlobAlreadyExists");
}

/** The code of an error. The client does not look for it where a HEAD has it: among the headers. */
export function codeOf(error: unknown): string | undefined {
  const { code, response } = (error ?? {}) as RestErrorLike;
  return typeof code === "string" ? code : response?.headers?.get?.("x-ms-error-code");
}

/** What an error of the client means; its own text goes no further. */
export function azureError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const { name, statusCode, response } = (error ?? {}) as RestErrorLike;
  const code = codeOf(error);
  const status = typeof statusCode === "number" ? statusCode : undefined;
  const retryAfter = retryAfterOf((name) => response?.headers?.get?.(name));
  const detail = code ?? (status === undefined ? String(name) : String(status));
  if (isCredentialError(name)) return new StoreError("credentials", { detail: String(name) });
  const known = code !== undefined && Object.hasOwn(KINDS, code) ? KINDS[code] : undefined;
  const kind = known ?? kindOfStatus(status);
  const isSkewed = kind === "credentials" && isFarFromNow(response?.headers?.get?.("date"));
  return new StoreError(isSkewed ? "clock" : kind, { detail, retryAfter });
}

/** The service has one code for a wrong signature and for a request whose time is too far from its own. */
function isFarFromNow(date: string | undefined): boolean {
  const serverTime = dateOf(date);
  return serverTime !== undefined && Math.abs(serverTime - Date.now()) >= MAX_SKEW_MS;
}

/** What `@azure/identity` throws. */
function isCredentialError(name: unknown): boolean {
  return typeof name === "string" &&
    /^(?:CredentialUnavailable|Authentication|AggregateAuthentication|AuthenticationRequired)Error$/
      .test(name);
}

function kindOfStatus(status: number | undefined): StoreErrorKind {
  if (status === undefined) return "network";
  if (status === 401) return "credentials";
  if (status === 403) return "forbidden";
  if (status === 429 || status === 503) return "throttled";
  if (status === 501 || status === 405) return "unsupported";
  if (status >= 500) return "server";
  return status >= 400 ? "rejected" : "foreign";
}
