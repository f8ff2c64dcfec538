/**
 * What went wrong with one request.
 *
 * - `missing-place`: there is no such bucket or container.
 * - `invalid-place`: its name is none.
 * - `wrong-region`: it is in another region, or at another endpoint.
 * - `credentials`: there are none, or the store does not accept them.
 * - `forbidden`: they do not allow this.
 * - `clock`: the request's time is too far from the store's.
 * - `throttled`, `server`, `network`, `truncated`: another attempt may do better.
 * - `unsupported`: the store cannot do this at all.
 * - `rejected`: any other refusal.
 * - `foreign`: what answers is no such store.
 */
export type StoreErrorKind =
  | "missing-place"
  | "invalid-place"
  | "wrong-region"
  | "credentials"
  | "forbidden"
  | "clock"
  | "throttled"
  | "server"
  | "network"
  | "truncated"
  | "unsupported"
  | "rejected"
  | "foreign";

/** Details of a {@linkcode StoreError}. */
export interface StoreErrorOptions {
  /** The store's own code, such as `SlowDown`, or the system's, such as `ECONNRESET`. */
  readonly detail?: string | undefined;
  /** The least to wait before another attempt, in milliseconds. */
  readonly retryAfter?: number | undefined;
}

const RETRYABLE: ReadonlySet<StoreErrorKind> = new Set([
  "throttled",
  "server",
  "network",
  "truncated",
]);

/**
 * The failure of one request. It carries no text of the store or the client:
 * that may repeat names, addresses and signatures.
 */
export class StoreError extends Error {
  /** What went wrong. */
  readonly kind: StoreErrorKind;
  /** The code behind it, of letters, digits and `.`, `_`, `-`. */
  readonly detail: string | undefined;
  /** The least to wait before another attempt, in milliseconds. */
  readonly retryAfter: number;

  /** Creates an error of a kind. */
  constructor(kind: StoreErrorKind, options: StoreErrorOptions = {}) {
    const detail = options.detail !== undefined && /^[\w.-]{1,80}$/.test(options.detail)
      ? options.detail
      : undefined;
    super(detail === undefined ? kind : `${kind} (${detail})`);
    this.name = "StoreError";
    this.kind = kind;
    this.detail = detail;
    this.retryAfter = options.retryAfter ?? 0;
  }

  /** Whether another attempt may do better. */
  get isRetryable(): boolean {
    return RETRYABLE.has(this.kind);
  }
}
