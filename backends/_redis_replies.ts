/*
 * What error replies of Redis mean to whoever runs the cache. A reply's own
 * text never goes further: it may repeat arguments, and with them keys, values
 * or, where HELLO is not known, the password.
 */

import type { CacheErrorCode } from "../src/errors.ts";

/** What a reply means. */
export interface ReplyMeaning {
  /** What the error is. */
  readonly code: CacheErrorCode;
  /** Completes `Cannot read from Redis: `. */
  readonly reason: string;
}

const MEANINGS: Readonly<Record<string, ReplyMeaning>> = {
  NOAUTH: {
    code: "unavailable",
    reason: "the server wants a password: give 'password', or one in 'redisUrl'",
  },
  WRONGPASS: { code: "unavailable", reason: "the server refuses the user name or password" },
  NOPERM: {
    code: "backend",
    reason: "the user may not do this: allow it the commands and keys of the cache",
  },
  READONLY: {
    code: "backend",
    reason: "the server is a read-only replica: give the address of its primary",
  },
  OOM: {
    code: "backend",
    reason:
      "the server is out of memory: raise its 'maxmemory' or set a 'maxmemory-policy' that evicts",
  },
  LOADING: { code: "unavailable", reason: "the server is loading its data set" },
  MASTERDOWN: { code: "unavailable", reason: "the server is a replica without its primary" },
  CLUSTERDOWN: { code: "unavailable", reason: "the cluster is down" },
  TRYAGAIN: { code: "unavailable", reason: "the cluster is moving the slot" },
  BUSY: { code: "unavailable", reason: "the server is busy with a script" },
  MISCONF: { code: "backend", reason: "the server cannot save to its disk and takes no writes" },
  NOREPLICAS: { code: "backend", reason: "the server has too few replicas to take writes" },
  WRONGTYPE: { code: "corrupt", reason: "the key holds something that is no string" },
  MOVED: {
    code: "unavailable",
    reason: 'the server is part of a cluster: give a URL that begins with "redis+cluster://"',
  },
};
const REDIRECTED = MEANINGS["MOVED"] as ReplyMeaning;

/** Replies that have no code of their own, by what they say. */
const TEXTS: readonly (readonly [text: RegExp, meaning: ReplyMeaning])[] = [
  [/^ERR (?:invalid password|AUTH |Client sent AUTH)/i, MEANINGS["WRONGPASS"] as ReplyMeaning],
  [/unauthorized/i, { code: "unavailable", reason: "the server refuses the token" }],
  [/^ERR unknown (?:sub)?command/i, {
    code: "unavailable",
    reason: "the server does not know the command: Redis 6.2 or later is needed",
  }],
  [/^ERR (?:invalid DB index|DB index is out of range|SELECT is not allowed)/i, {
    code: "unavailable",
    reason: "the server has no such database",
  }],
  [/^ERR max number of clients/i, {
    code: "unavailable",
    reason: "the server has as many clients as it allows",
  }],
  [/max request size|request size limit/i, {
    code: "backend",
    reason: "the request is larger than the server allows: lower 'maxRequestBytes'",
  }],
  [/STRATA chunks are gone/, {
    code: "backend",
    reason: "what was sent of the stream is gone: nothing came for minutes, or memory ran out",
  }],
  [/max daily request limit|rate limit|max requests limit/i, {
    code: "unavailable",
    reason: "the request limit of the server is reached",
  }],
];

/** What an error reply means, `undefined` for a text that is no reply of Redis. */
export function meaningOf(reply: string): ReplyMeaning | undefined {
  const known = TEXTS.find(([text]) => text.test(reply));
  if (known !== undefined) return known[1];
  const [, code] = /^([A-Z][A-Z0-9]{2,19})(?: |$)/.exec(reply) ?? [];
  if (code === undefined) return undefined;
  if (code === "ASK") return REDIRECTED;
  return Object.hasOwn(MEANINGS, code)
    ? MEANINGS[code]
    : { code: "backend", reason: `the server answers ${code}` };
}
