import { CacheError, isCacheError } from "../../src/errors.ts";
import { meaningOf, type ReplyMeaning } from "../_redis_replies.ts";

/** Options of {@linkcode upstashError}. */
export interface UpstashErrorOptions {
  /** The backend concerned. */
  readonly backend: string;
  /** Begins the message, as in `Cannot read from Upstash`. */
  readonly action: string;
  /** The key, as its caller gave it. */
  readonly key?: string | undefined;
}

/** A failure of client or server as one of ours. The client's own text repeats whole commands, and goes no further. */
export function upstashError(error: unknown, options: UpstashErrorOptions): CacheError {
  if (isCacheError(error)) return error;
  const { backend, action, key } = options;
  const errno = errnoOf(error);
  const { code, reason } = meaning(error, errno);
  const cause = errno === undefined ? undefined : Object.assign(new Error(errno), { code: errno });
  return new CacheError(code, `${action}: ${reason}`, { backend, key, cause });
}

function meaning(error: unknown, errno: string | undefined): ReplyMeaning {
  if (!(error instanceof Error)) return { code: "backend", reason: "an unknown failure" };
  if (error.name === "UpstashError") {
    return meaningOf(error.message) ??
      { code: "backend", reason: "the server refuses the request" };
  }
  if (error.name === "UpstashJSONParseError") {
    return { code: "unavailable", reason: "what answers at the URL is no Upstash REST API" };
  }
  const hint = errno === undefined ? "" : ` (${errno})`;
  return { code: "unavailable", reason: `the server cannot be reached${hint}` };
}

/** `fetch` hides what went wrong behind one or more causes. */
function errnoOf(error: unknown): string | undefined {
  for (let depth = 0, at = error; at instanceof Error && depth < 4; depth++, at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string" && /^[A-Za-z][A-Za-z0-9_]*$/.test(code)) return code;
  }
  return undefined;
}
