import { ConfigReader, type RawConfig } from "../../src/config.ts";
import { StoredNames } from "../_stored_key.ts";
import type { RedisClientLike, RedisClusterLike, RedisSentinelLike } from "./client_like.ts";
import { parseRedisUrl, REDIS_URL_FORMS, type RedisAddress } from "./redis_url.ts";

/** A client that a caller may give. */
export type RedisClient = RedisClientLike | RedisClusterLike | RedisSentinelLike;

/** Settings of TLS, as `node:tls` takes them. */
export interface RedisTlsConfig {
  /** Certificates of the authorities to trust, PEM. @default the runtime's */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  /** Certificate of the client, PEM. @default none */
  readonly cert?: string | Uint8Array;
  /** Key of that certificate, PEM. @default none */
  readonly key?: string | Uint8Array;
  /** The name that the server's certificate must have. @default the host */
  readonly servername?: string;
  /** Whether to insist on a certificate that is trusted. @default true */
  readonly rejectUnauthorized?: boolean;
}

/** Config of a Redis backend. */
export interface RedisConfig {
  /** `"redis"`, for the registry. */
  readonly type?: "redis";
  /** Names the tier in statistics, events and errors. @default "redis" */
  readonly name?: string;
  /**
   * Where the server is: `redis://user:password@host:6379/0`, with `rediss:`
   * for TLS; `redis+cluster://host1,host2` for a cluster;
   * `redis+sentinel://host1,host2/primary/0` for a primary that sentinels know.
   */
  readonly redisUrl?: string;
  /**
   * A client of the `redis` package instead of a URL: of `createClient`,
   * `createCluster` or `createSentinel`, not of a pool, where commands overtake
   * one another. It must be connected, and stays its owner's to close.
   */
  readonly client?: RedisClient;
  /** Keeps apart caches that share a server. It has no "::" and no "!". @default "strata" */
  readonly prefix?: string;
  /** User name, instead of the one in the URL. */
  readonly username?: string;
  /** Password, instead of the one in the URL. */
  readonly password?: string;
  /** Number of the database, instead of the one in the URL. @default 0 */
  readonly database?: number;
  /** User name for sentinels. @default none */
  readonly sentinelUsername?: string;
  /** Password for sentinels. @default none */
  readonly sentinelPassword?: string;
  /** Settings of TLS, for a `rediss:` URL. */
  readonly tls?: RedisTlsConfig;
  /** Larger frames are declined: bytes, or a string such as `"64MB"`. @default "512MB", Redis' own limit */
  readonly maxValueBytes?: number | string;
  /** Commands that may wait for the server at once; more are refused. @default 10_000 */
  readonly maxPending?: number;
  /** Seconds, or a string such as `"5s"`, for one attempt to connect. @default 5 */
  readonly connectTimeout?: number | string;
  /**
   * How long after its end the server still keeps an entry, which nobody reads
   * any more: for readers whose clocks are behind. Seconds, or a string such as `"1m"`.
   *
   * @default none
   */
  readonly expiryGrace?: number | string;
  /**
   * How others learn what has changed: `"pubsub"` over a channel; `"tracking"`
   * from the server itself, which then tells also of what other programs
   * write, of expiry and of eviction. The latter needs a single server of Redis 6.
   *
   * @default "pubsub"
   */
  readonly invalidation?: "pubsub" | "tracking";
}

/** A server and how to talk to it. */
export interface RedisTarget extends RedisAddress {
  /** User name for sentinels. */
  readonly sentinelUsername: string | undefined;
  /** Password for sentinels. */
  readonly sentinelPassword: string | undefined;
  /** Settings of TLS. */
  readonly tlsConfig: RedisTlsConfig;
  /** Milliseconds for one attempt. */
  readonly connectTimeout: number;
  /** Commands that may wait at once. */
  readonly maxPending: number;
}

/** A config that has been checked. */
export interface RedisSettings {
  /** Names the tier. */
  readonly name: string;
  /** Names in the store. */
  readonly names: StoredNames;
  /** The server, or a client of the caller's. */
  readonly target: RedisTarget | RedisClient;
  /** Larger frames are declined. */
  readonly maxValueBytes: number;
  /** Milliseconds that the server keeps an entry after its end. */
  readonly expiryGrace: number;
  /** How others learn what has changed. */
  readonly invalidation: "pubsub" | "tracking";
}

const SUBJECT = "Cannot open redis backend";
const CONNECTION_FIELDS = [
  "redisUrl",
  "username",
  "password",
  "database",
  "sentinelUsername",
  "sentinelPassword",
  "tls",
  "maxPending",
  "connectTimeout",
] as const;
const FIELDS = [
  "type",
  "name",
  "client",
  "prefix",
  "maxValueBytes",
  "expiryGrace",
  "invalidation",
  ...CONNECTION_FIELDS,
] as const;
const TLS_FIELDS = ["ca", "cert", "key", "servername", "rejectUnauthorized"] as const;

/** `proto-max-bulk-len` as Redis has it unless it is told otherwise. */
const DEFAULT_MAX_VALUE_BYTES = 512 * 1024 * 1024;
const DEFAULT_MAX_PENDING = 10_000;
const DEFAULT_CONNECT_TIMEOUT_MS = 5000;
const DEFAULT_PREFIX = "strata";

/**
 * Checks a config.
 *
 * @throws {TypeError} when a field is unknown, missing or of a wrong type. URL and passwords are never shown.
 * @throws {RangeError} when a number is out of range.
 */
export function readRedisConfig(config: RawConfig): RedisSettings {
  const reader = new ConfigReader(SUBJECT, config, FIELDS);
  const invalidation = reader.oneOf("invalidation", ["pubsub", "tracking"]) ?? "pubsub";
  const target = readClient(reader) ?? readTarget(reader);
  if (invalidation === "tracking" && !("kind" in target && target.kind !== "cluster")) {
    throw new TypeError(
      `${SUBJECT}: 'invalidation' can be "tracking" only for one server given by 'redisUrl': use "pubsub"`,
    );
  }
  return {
    name: reader.string("name") ?? "redis",
    names: new StoredNames(reader.string("prefix") ?? DEFAULT_PREFIX, SUBJECT),
    target,
    maxValueBytes: reader.bytes("maxValueBytes") ?? DEFAULT_MAX_VALUE_BYTES,
    expiryGrace: reader.duration("expiryGrace") ?? 0,
    invalidation,
  };
}

function readClient(reader: ConfigReader): RedisClient | undefined {
  const client = reader.raw("client");
  if (client === undefined) return undefined;
  const isClient = typeof client === "object" && client !== null &&
    typeof (client as { sendCommand?: unknown }).sendCommand === "function";
  if (!isClient || isPool(client)) {
    throw new TypeError(
      `${SUBJECT}: 'client' must be a client of the "redis" package, and no pool`,
    );
  }
  for (const field of CONNECTION_FIELDS) {
    if (reader.raw(field) !== undefined) {
      throw new TypeError(
        `${SUBJECT}: 'client' and '${field}' exclude each other: give one of them`,
      );
    }
  }
  return client as RedisClient;
}

function readTarget(reader: ConfigReader): RedisTarget {
  const url = reader.raw("redisUrl");
  if (url === undefined) {
    throw new TypeError(`${SUBJECT}: 'redisUrl' must be given, ${REDIS_URL_FORMS}`);
  }
  const address = typeof url === "string" ? parseRedisUrl(url) : undefined;
  if (address === undefined) {
    throw new TypeError(
      `${SUBJECT}: 'redisUrl' must be a URL ${REDIS_URL_FORMS}: current value is not shown, it may hold a password`,
    );
  }
  const database = reader.integer("database", { min: 0 }) ?? address.database;
  if (address.kind === "cluster" && database !== 0) {
    throw new TypeError(`${SUBJECT}: 'database' must be 0 for a cluster: it has no others`);
  }
  return {
    ...address,
    database,
    username: secret(reader, "username") ?? address.username,
    password: secret(reader, "password") ?? address.password,
    sentinelUsername: secret(reader, "sentinelUsername"),
    sentinelPassword: secret(reader, "sentinelPassword"),
    tlsConfig: readTls(reader.raw("tls"), address.tls),
    connectTimeout: reader.duration("connectTimeout") ?? DEFAULT_CONNECT_TIMEOUT_MS,
    maxPending: reader.integer("maxPending", { min: 1 }) ?? DEFAULT_MAX_PENDING,
  };
}

function secret(reader: ConfigReader, field: string): string | undefined {
  const value = reader.raw(field);
  if (value === undefined || (typeof value === "string" && value !== "")) return value;
  throw new TypeError(
    `${SUBJECT}: '${field}' must be a non-empty string: current value is not shown`,
  );
}

function readTls(tls: unknown, isTls: boolean): RedisTlsConfig {
  if (tls === undefined) return {};
  if (!isTls) {
    throw new TypeError(`${SUBJECT}: 'tls' needs a 'redisUrl' that begins with "rediss"`);
  }
  const reader = new ConfigReader(`${SUBJECT}: 'tls'`, tls, TLS_FIELDS);
  reader.boolean("rejectUnauthorized");
  reader.string("servername");
  return tls as RedisTlsConfig;
}

function isPool(client: object): boolean {
  return "execute" in client && "clientsInUse" in client;
}
