import { ConfigReader, type RawConfig, show } from "../../src/config.ts";
import {
  OBJECT_STORE_FIELDS,
  type ObjectStoreConfig,
  type ObjectStoreSettings,
  readObjectStoreSettings,
} from "../_object_store/settings.ts";

/** What is used of a client of the `@azure/storage-blob` package: its `ContainerClient`. */
export interface AzureContainerClientLike {
  /** The container's name. */
  readonly containerName: string;
  /** A client of one blob. */
  getBlockBlobClient(name: string): unknown;
}

/** Gives tokens, as the credentials of `@azure/identity` do. */
export interface AzureTokenCredential {
  /** Gives a token for some scopes. */
  getToken(
    scopes: string | string[],
    options?: unknown,
  ): Promise<{ token: string; expiresOnTimestamp: number } | null>;
}

/** Config of an Azure backend: one of the four ways to reach a container, or a ready client. */
export interface AzureConfig extends ObjectStoreConfig {
  /** `"azure"`, for the registry. */
  readonly type?: "azure";
  /** The container, which must exist. A ready client has its own. */
  readonly container?: string;
  /** The connection string of the account. */
  readonly connectionString?: string;
  /**
   * The URL of the account, such as `https://name.blob.core.windows.net`.
   * @default that of `accountName`
   */
  readonly url?: string;
  /** A shared access signature; with `url` or `accountName`. */
  readonly sasToken?: string;
  /** The account; with `accountKey`, or in place of `url`. */
  readonly accountName?: string;
  /** The shared key of the account. */
  readonly accountKey?: string;
  /** A credential that gives tokens; with `url` or `accountName`. */
  readonly credential?: AzureTokenCredential;
  /**
   * A ready `ContainerClient` to use instead; its own retries apply.
   *
   * On Deno, whose `node:http` sends a request that was given up again where its
   * connection was used before (https://github.com/denoland/deno/issues/36786),
   * a write could come to the store after later ones. A client that is made here
   * is guarded against it; make a ready one with an agent that keeps no
   * connections: `new ContainerClient(url, credential, { agent: new Agent({ keepAlive: false }) } as StoragePipelineOptions)`,
   * with the `Agent` of `node:https`. Its `keepAliveOptions` do not help.
   */
  readonly client?: AzureContainerClientLike;
  /**
   * Bytes of a block of a value that is streamed: a number, or a string such
   * as `"8MB"`. A value has at most 50,000 blocks.
   *
   * @default "4MB"
   */
  readonly partBytes?: number | string;
}

/** How the container is reached. */
export type AzureAccess =
  | { readonly kind: "client"; readonly client: AzureContainerClientLike }
  | { readonly kind: "connectionString"; readonly connectionString: string }
  | { readonly kind: "sas"; readonly url: string; readonly token: string }
  | {
    readonly kind: "key";
    readonly url: string;
    readonly name: string;
    readonly key: string;
  }
  | {
    readonly kind: "credential";
    readonly url: string;
    readonly credential: AzureTokenCredential;
  };

/** A config that has been checked. */
export interface AzureSettings extends ObjectStoreSettings {
  /** The container. */
  readonly container: string;
  /** How it is reached. */
  readonly access: AzureAccess;
  /** Bytes of a block. */
  readonly partBytes: number;
}

const SUBJECT = "Cannot open azure backend";
const FIELDS = [
  ...OBJECT_STORE_FIELDS,
  "container",
  "connectionString",
  "url",
  "sasToken",
  "accountName",
  "accountKey",
  "credential",
  "client",
  "partBytes",
] as const;

const MIB = 1024 * 1024;
const DEFAULT_PART_BYTES = 4 * MIB;
const MIN_PART_BYTES = 65_536;

/**
 * Checks a config.
 *
 * @throws {TypeError} when a field is unknown, missing or of a wrong type. Credentials are never shown.
 * @throws {RangeError} when a number is out of range.
 */
export function readAzureConfig(config: RawConfig): AzureSettings {
  const reader = new ConfigReader(SUBJECT, config, FIELDS);
  const access = readAccess(reader);
  const container = access.kind === "client"
    ? access.client.containerName
    : reader.string("container");
  if (container === undefined || !/^(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*$/.test(container)) {
    throw new TypeError(
      `${SUBJECT}: 'container' must be 3 to 63 small letters, digits and single hyphens, such as "my-cache": current value is ${
        show(container)
      }`,
    );
  }
  const partBytes = reader.bytes("partBytes") ?? DEFAULT_PART_BYTES;
  if (partBytes < MIN_PART_BYTES) {
    throw new RangeError(
      `${SUBJECT}: 'partBytes' must be at least ${MIN_PART_BYTES}: current value is ${partBytes}`,
    );
  }
  return { ...readObjectStoreSettings(reader, "azure", SUBJECT), container, access, partBytes };
}

function readAccess(reader: ConfigReader): AzureAccess {
  const ways = ["client", "connectionString", "sasToken", "accountKey", "credential"]
    .filter((field) => reader.raw(field) !== undefined);
  if (ways.length !== 1) {
    const given = ways.length === 0
      ? ""
      : `, not ${ways.map((field) => `'${field}'`).join(" and ")}`;
    throw new TypeError(
      `${SUBJECT}: give one of 'connectionString', 'sasToken', 'accountKey', 'credential' and 'client'${given}`,
    );
  }
  switch (ways[0]) {
    case "client": {
      const client = reader.raw("client") as AzureContainerClientLike | null;
      if (typeof client?.getBlockBlobClient !== "function") {
        fail("client", 'must be a ContainerClient of the "@azure/storage-blob" package');
      }
      if (reader.raw("container") !== undefined) {
        fail("container", "is the client's own: leave it out");
      }
      return { kind: "client", client };
    }
    case "connectionString": {
      const connectionString = reader.raw("connectionString");
      if (!isText(connectionString) || !/^(?:[A-Za-z]+=[^;]+;?)+$/.test(connectionString)) {
        fail("connectionString", "must be the connection string of an account");
      }
      return { kind: "connectionString", connectionString };
    }
    case "sasToken": {
      const token = reader.raw("sasToken");
      if (!isText(token) || !/^\??[\w%.~&=:+/-]+$/.test(token)) {
        fail("sasToken", 'must be a shared access signature such as "sv=…&sig=…"');
      }
      return { kind: "sas", url: readUrl(reader), token: token.replace(/^\?/, "") };
    }
    case "accountKey": {
      const key = reader.raw("accountKey");
      const name = reader.raw("accountName");
      if (!isText(name)) fail("accountName", "must be given with 'accountKey'");
      if (!isText(key) || !/^[A-Za-z0-9+/]+={0,2}$/.test(key)) {
        fail("accountKey", "must be a key of the account, as base64");
      }
      return { kind: "key", url: readUrl(reader), name, key };
    }
    default: {
      const credential = reader.raw("credential") as AzureTokenCredential | null;
      if (typeof credential?.getToken !== "function") fail("credential", "must have 'getToken'");
      const url = readUrl(reader);
      // The client sends no token that others could read.
      if (!url.startsWith("https:")) fail("url", "must begin with \"https:\" for 'credential'");
      return { kind: "credential", url, credential };
    }
  }
}

function readUrl(reader: ConfigReader): string {
  const name = reader.raw("accountName");
  if (name !== undefined && (!isText(name) || !/^[a-z0-9]{3,24}$/.test(name))) {
    fail("accountName", "must be 3 to 24 small letters and digits");
  }
  const url = reader.raw("url") ??
    (name === undefined ? undefined : `https://${name}.blob.core.windows.net`);
  if (!isText(url) || !/^https?:\/\/[^\s/?#@]+(?:\/[^\s?#]*)?$/.test(url)) {
    fail("url", 'must be the URL of the account, such as "https://name.blob.core.windows.net"');
  }
  return url.replace(/\/+$/, "");
}

function fail(field: string, demand: string): never {
  throw new TypeError(`${SUBJECT}: '${field}' ${demand}: current value is not shown`);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
