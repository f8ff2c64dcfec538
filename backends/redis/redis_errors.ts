import { CacheError, isCacheError } from "../../src/errors.ts";
import { meaningOf, type ReplyMeaning } from "../_redis_replies.ts";

/** What the runtimes' sockets and the client say, and what it means. The first that fits counts. */
const TROUBLES: readonly (readonly [text: RegExp, reason: string])[] = [
  [/queue is full/i, "the server does not answer, and too many commands wait for it"],
  [
    /self.?signed|unable to verify|unable to get local issuer|UnknownIssuer|CERT_|certificate|altname/i,
    "the server's TLS certificate is not trusted: give its authority as 'tls.ca'",
  ],
  [
    /wrong.version.number|packet length too long|InvalidMessage|InvalidContentType|ERR_SSL|EPROTO|handshake|corrupt message/i,
    'the server does not speak TLS here: give a URL that begins with "redis://"',
  ],
  [/ECONNREFUSED|connection refused/i, "nothing listens at its address"],
  [/ENOTFOUND|EAI_AGAIN|dns error|getaddrinfo/i, "its host name cannot be found"],
  [/ETIMEDOUT|timeout|timed out/i, "it did not answer in time"],
  [/root nodes/i, "no node of the cluster can be reached"],
  [/Cannot find node|redirections/i, "the cluster is moving"],
  [
    /closed|ECONNRESET|EPIPE|reset|offline|disconnect|socket/i,
    "the connection is lost",
  ],
];

/** Told when a connection ends before the server has greeted. */
const NO_GREETING =
  'the server closed the connection at once: it may want TLS, a URL that begins with "rediss://"';

/** Options of {@linkcode redisError}. */
export interface RedisErrorOptions {
  /** The backend concerned. */
  readonly backend: string;
  /** Begins the message, as in `Cannot read from Redis`. */
  readonly action: string;
  /** The key, as its caller gave it. */
  readonly key?: string | undefined;
  /** Whether the connection was being made. */
  readonly connecting?: boolean;
}

/** A failure of client or server as one of ours, without what its text may give away. */
export function redisError(error: unknown, options: RedisErrorOptions): CacheError {
  if (isCacheError(error)) return error;
  const { action, backend, key, connecting = false } = options;
  const { code, reason } = meaning(error, connecting);
  const cause = plainCause(error);
  return new CacheError(code, `${action}: ${reason}`, { backend, key, cause });
}

function meaning(error: unknown, connecting: boolean): ReplyMeaning {
  if (!(error instanceof Error)) return { code: "backend", reason: "an unknown failure" };
  const errors = error instanceof AggregateError ? error.errors : [error];
  const text = errors.map(textOf).join(" ");
  if (errnoOf(error) === undefined) {
    const reply = meaningOf(error.message);
    if (reply !== undefined) return reply;
  }
  if (connecting && /closed|ECONNRESET|EPIPE|reset/i.test(text)) {
    return { code: "unavailable", reason: NO_GREETING };
  }
  const known = TROUBLES.find(([pattern]) => pattern.test(text));
  return known === undefined
    ? { code: "backend", reason: `the client failed (${error.name})` }
    : { code: "unavailable", reason: known[1] };
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  return `${errnoOf(error) ?? ""} ${error.name} ${error.message}`;
}

function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown }).code;
  return typeof code === "string" ? code : undefined;
}

/** An error of the system says what it is in its code; others may say too much. */
function plainCause(error: unknown): Error | undefined {
  const code = error instanceof Error ? errnoOf(error) : undefined;
  return code === undefined || !/^[A-Z][A-Z0-9_]*$/.test(code)
    ? undefined
    : Object.assign(new Error(code), { code });
}
