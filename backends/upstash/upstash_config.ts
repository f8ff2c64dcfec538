import { ConfigReader, type RawConfig } from "../../src/config.ts";
import { StoredNames } from "../_stored_key.ts";

/** What is used of a client of the `@upstash/redis` package. */
export interface UpstashClientLike {
  /** Begins a request. */
  pipeline(): UpstashPipelineLike;
}

/** What is used of its requests. */
export interface UpstashPipelineLike {
  /** Reads a value. */
  get(key: string): unknown;
  /** Reads values. */
  mget(...keys: string[]): unknown;
  /** Reads a part of a value. */
  getrange(key: string, start: number, end: number): unknown;
  /** Reads a field of a hash. */
  hget(key: string, field: string): unknown;
  /** Stores a value, for some milliseconds or for ever. */
  set(key: string, value: string, options?: { px: number }): unknown;
  /** Removes values. */
  unlink(...keys: string[]): unknown;
  /** Walks the keys. */
  scan(cursor: string, options: { match: string; count: number }): unknown;
  /** Runs a script. */
  eval(script: string, keys: string[], args: string[]): unknown;
  /** Runs a script that the database keeps. */
  evalsha(digest: string, keys: string[], args: string[]): unknown;
  /** Tells the listeners of a channel. */
  publish(channel: string, message: string): unknown;
  /** Sends the request. Each reply has a result or an error. */
  exec(options: { keepErrors: true }): Promise<readonly unknown[]>;
}

/** Config of an Upstash backend. */
export interface UpstashConfig {
  /** `"upstash"`, for the registry. */
  readonly type?: "upstash";
  /** Names the tier in statistics, events and errors. @default "upstash" */
  readonly name?: string;
  /** The REST URL of the database, such as `https://name.upstash.io`. */
  readonly url?: string;
  /** The token of the REST API. */
  readonly token?: string;
  /**
   * A client of the `@upstash/redis` package to use instead. A bus needs `url`
   * and `token` besides.
   */
  readonly client?: UpstashClientLike;
  /** Keeps apart caches that share a database. It has no "::" and no "!". @default "strata" */
  readonly prefix?: string;
  /**
   * The largest request that the database takes: bytes, or a string such as
   * `"10MB"`. Frames that do not fit, as base64 a third larger, are declined.
   *
   * @default 1_000_000
   */
  readonly maxRequestBytes?: number | string;
  /**
   * Values that come as streams travel in chunks, each in a request of its own.
   * Larger frames are declined: bytes, or a string such as `"64MB"`.
   *
   * @default "100MB", what the service takes of one record
   */
  readonly maxStreamBytes?: number | string;
  /** Requests under way at once; what comes meanwhile travels together. @default 8 */
  readonly maxRequests?: number;
  /** Commands that may wait at once; more are refused. @default 10_000 */
  readonly maxPending?: number;
  /** Seconds, or a string such as `"10s"`, after which a request is given up. @default 10 */
  readonly requestTimeout?: number | string;
  /**
   * How long after its end the database still keeps an entry, which nobody
   * reads any more: for readers whose clocks are behind. Seconds, or a string.
   *
   * @default none
   */
  readonly expiryGrace?: number | string;
}

/** A config that has been checked. */
export interface UpstashSettings {
  /** Names the tier. */
  readonly name: string;
  /** Names in the store. */
  readonly names: StoredNames;
  /** A client that was given. */
  readonly client: UpstashClientLike | undefined;
  /** Where the database is. */
  readonly address: { readonly url: string; readonly token: string } | undefined;
  /** Bytes of a request. */
  readonly maxRequestBytes: number;
  /** Larger streamed frames are declined. */
  readonly maxStreamBytes: number;
  /** Requests at once. */
  readonly maxRequests: number;
  /** Commands that may wait. */
  readonly maxPending: number;
  /** Milliseconds of a request. */
  readonly requestTimeout: number;
  /** Milliseconds that the database keeps an entry after its end. */
  readonly expiryGrace: number;
}

const SUBJECT = "Cannot open upstash backend";
const FIELDS = [
  "type",
  "name",
  "url",
  "token",
  "client",
  "prefix",
  "maxRequestBytes",
  "maxStreamBytes",
  "maxRequests",
  "maxPending",
  "requestTimeout",
  "expiryGrace",
] as const;

/** What a database takes that nothing was paid for. */
const DEFAULT_MAX_REQUEST_BYTES = 1_000_000;
const DEFAULT_MAX_STREAM_BYTES = 100 * 1024 * 1024;
const DEFAULT_MAX_REQUESTS = 8;
const DEFAULT_MAX_PENDING = 10_000;
const DEFAULT_REQUEST_TIMEOUT_MS = 10_000;

/** A command with the longest key must fit. */
const MIN_MAX_REQUEST_BYTES = 64 * 1024;

/**
 * Checks a config.
 *
 * @throws {TypeError} when a field is unknown, missing or of a wrong type. URL and token are never shown.
 * @throws {RangeError} when a number is out of range.
 */
export function readUpstashConfig(config: RawConfig): UpstashSettings {
  const reader = new ConfigReader(SUBJECT, config, FIELDS);
  const maxRequestBytes = reader.bytes("maxRequestBytes") ?? DEFAULT_MAX_REQUEST_BYTES;
  if (maxRequestBytes < MIN_MAX_REQUEST_BYTES) {
    throw new RangeError(
      `${SUBJECT}: 'maxRequestBytes' must be at least ${MIN_MAX_REQUEST_BYTES}: current value is ${maxRequestBytes}`,
    );
  }
  return {
    name: reader.string("name") ?? "upstash",
    names: new StoredNames(reader.string("prefix") ?? "strata", SUBJECT),
    ...readAddress(reader),
    maxRequestBytes,
    maxStreamBytes: reader.bytes("maxStreamBytes") ?? DEFAULT_MAX_STREAM_BYTES,
    maxRequests: reader.integer("maxRequests", { min: 1 }) ?? DEFAULT_MAX_REQUESTS,
    maxPending: reader.integer("maxPending", { min: 1 }) ?? DEFAULT_MAX_PENDING,
    requestTimeout: reader.duration("requestTimeout") ?? DEFAULT_REQUEST_TIMEOUT_MS,
    expiryGrace: reader.duration("expiryGrace") ?? 0,
  };
}

function readAddress(reader: ConfigReader): Pick<UpstashSettings, "client" | "address"> {
  const client = reader.raw("client") as UpstashClientLike | undefined;
  if (client !== undefined && typeof client?.pipeline !== "function") {
    throw new TypeError(
      `${SUBJECT}: 'client' must be a client of the "@upstash/redis" package`,
    );
  }
  const url = reader.raw("url");
  const token = reader.raw("token");
  if (client !== undefined && url === undefined && token === undefined) {
    return { client, address: undefined };
  }
  if (typeof url !== "string" || !/^https?:\/\/[^\s/?#@]+(?:\/[^\s?#]*)?$/.test(url)) {
    throw new TypeError(
      `${SUBJECT}: 'url' must be the REST URL of the database, such as "https://name.upstash.io": current value is not shown, it may hold a secret`,
    );
  }
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) {
    throw new TypeError(
      `${SUBJECT}: 'token' must be the token of the REST API: current value is not shown`,
    );
  }
  return { client, address: { url: url.replace(/\/+$/, ""), token } };
}
