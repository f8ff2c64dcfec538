/** What a Redis URL says. */
export interface RedisAddress {
  /** One server, a cluster of which some nodes are named, or sentinels that know the primary. */
  readonly kind: "single" | "cluster" | "sentinel";
  /** Whether connections are TLS. */
  readonly tls: boolean;
  /** The servers named. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  /** User name, if any. */
  readonly username: string | undefined;
  /** Password, if any. */
  readonly password: string | undefined;
  /** Number of the database. */
  readonly database: number;
  /** The name by which sentinels know the primary. */
  readonly primary: string | undefined;
}

const URL_PATTERN =
  /^(redis|rediss)(\+cluster|\+sentinel)?:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^@/?#]+)(?:\/([^?#]*))?$/;
const HOST_PATTERN = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/i;

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26379;

/** The forms, for messages. */
export const REDIS_URL_FORMS: string =
  'such as "redis://user:password@host:6379/0", with "rediss" for TLS, "redis+cluster://host1,host2" or "redis+sentinel://host1,host2/primary/0"';

/**
 * Reads a Redis URL.
 *
 * @returns `undefined` when it is none. The caller must not show it: it may hold a password.
 */
export function parseRedisUrl(url: string): RedisAddress | undefined {
  const match = URL_PATTERN.exec(url);
  if (match === null) return undefined;
  const [, scheme, form = "", user = "", secret, hostList = "", path = ""] = match;
  const kind = form === "" ? "single" : form === "+cluster" ? "cluster" : "sentinel";
  const defaultPort = kind === "sentinel" ? SENTINEL_PORT : REDIS_PORT;
  const hosts = hostList.split(",").map((text) => parseHost(text, defaultPort));
  if (!hosts.every((host) => host !== undefined)) return undefined;
  if (kind === "single" && hosts.length > 1) return undefined;
  const parts = path === "" ? [] : path.split("/");
  const primary = kind === "sentinel" ? decode(parts.shift() ?? "") : undefined;
  if (primary === "" || parts.length > 1) return undefined;
  const database = parts[0] === undefined || parts[0] === "" ? 0 : Number(parts[0]);
  if (!Number.isInteger(database) || database < 0) return undefined;
  if (kind === "cluster" && database !== 0) return undefined;
  const username = decode(user);
  const password = secret === undefined ? undefined : decode(secret);
  if (username === undefined || (secret !== undefined && password === undefined)) return undefined;
  return {
    kind,
    tls: scheme === "rediss",
    hosts,
    username: username === "" ? undefined : username,
    password: password === "" ? undefined : password,
    database,
    primary,
  };
}

function parseHost(text: string, defaultPort: number): { host: string; port: number } | undefined {
  const match = HOST_PATTERN.exec(text);
  if (match === null) return undefined;
  const port = match[3] === undefined ? defaultPort : Number(match[3]);
  return port > 0 && port < 65536 ? { host: match[1] ?? match[2] ?? "", port } : undefined;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
