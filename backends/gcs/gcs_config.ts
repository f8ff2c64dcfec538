import { ConfigReader, type RawConfig, show } from "../../src/config.ts";
import type { Fetch } from "../_object_store/http.ts";
import {
  OBJECT_STORE_FIELDS,
  type ObjectStoreConfig,
  type ObjectStoreSettings,
  readObjectStoreSettings,
} from "../_object_store/settings.ts";
import type { GcsServiceAccount } from "./service_account.ts";

/** A token of OAuth 2.0. */
export interface GcsToken {
  /** What requests bear. */
  readonly token: string;
  /** Its end, epoch milliseconds. @default unknown: it is asked for anew when the store refuses it */
  readonly expiresAt?: number | undefined;
}

/** An HMAC key of the store's interoperable API. */
export interface GcsHmacKey {
  /** Names the key. */
  readonly accessId: string;
  /** The secret. */
  readonly secret: string;
}

/** Config of a GCS backend. With no credentials it uses the application default ones. */
export interface GcsConfig extends ObjectStoreConfig {
  /** `"gcs"`, for the registry. */
  readonly type?: "gcs";
  /** The bucket, which must exist. */
  readonly bucket: string;
  /** The key of a service account, as its JSON file says. */
  readonly serviceAccount?: GcsServiceAccount;
  /**
   * Gives a token that allows to read and write the bucket's objects. It is
   * called again before the token ends, or when the store refuses it; one that
   * takes more than ten seconds is told so by the signal, and not waited for.
   */
  readonly token?: (options: { readonly signal: AbortSignal }) => Promise<string | GcsToken>;
  /** An HMAC key: then the XML API is used, which is S3's. */
  readonly hmac?: GcsHmacKey;
  /** The URL of the store. @default "https://storage.googleapis.com" */
  readonly endpoint?: string;
  /** The `fetch` that is used. @default the runtime's */
  readonly fetch?: Fetch;
  /**
   * Bytes of a part of a value that is streamed, of at least 256 KiB, 5 MiB
   * with an HMAC key, rounded down to a multiple of 256 KiB.
   *
   * @default "5MB"
   */
  readonly partBytes?: number | string;
}

/** Where tokens come from. */
export type GcsTokenCredentials =
  | { readonly kind: "serviceAccount"; readonly account: GcsServiceAccount }
  | { readonly kind: "token"; readonly token: NonNullable<GcsConfig["token"]> }
  | { readonly kind: "default" };

/** What lets requests in. */
export type GcsCredentials =
  | GcsTokenCredentials
  | { readonly kind: "hmac"; readonly key: GcsHmacKey };

/** A config that has been checked. */
export interface GcsSettings extends ObjectStoreSettings {
  /** The bucket. */
  readonly bucket: string;
  /** What lets requests in. */
  readonly credentials: GcsCredentials;
  /** The URL of the store, without a slash at its end. */
  readonly endpoint: string;
  /** Sends requests. */
  readonly fetch: Fetch;
  /** Bytes of a part. */
  readonly partBytes: number;
}

const SUBJECT = "Cannot open gcs backend";
const FIELDS = [
  ...OBJECT_STORE_FIELDS,
  "bucket",
  "serviceAccount",
  "token",
  "hmac",
  "endpoint",
  "fetch",
  "partBytes",
] as const;

const MIB = 1024 * 1024;
const DEFAULT_PART_BYTES = 5 * MIB;

/** A resumable upload takes multiples of it only. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Checks a config.
 *
 * @throws {TypeError} when a field is unknown, missing or of a wrong type. Credentials are never shown.
 * @throws {RangeError} when a number is out of range.
 */
export function readGcsConfig(config: RawConfig): GcsSettings {
  const reader = new ConfigReader(SUBJECT, config, FIELDS);
  const bucket = reader.string("bucket");
  if (bucket === undefined || !/^[a-z0-9][\w.-]{1,220}[a-z0-9]$/.test(bucket)) {
    throw new TypeError(
      `${SUBJECT}: 'bucket' must be the name of a bucket, such as "my-cache": current value is ${
        show(reader.raw("bucket"))
      }`,
    );
  }
  const credentials = readCredentials(reader);
  const least = credentials.kind === "hmac" ? DEFAULT_PART_BYTES : CHUNK_BYTES;
  const partBytes = reader.bytes("partBytes") ?? DEFAULT_PART_BYTES;
  if (partBytes < least) {
    throw new RangeError(
      `${SUBJECT}: 'partBytes' must be at least ${least}: current value is ${partBytes}`,
    );
  }
  return {
    ...readObjectStoreSettings(reader, "gcs", SUBJECT),
    bucket,
    credentials,
    endpoint: readEndpoint(reader),
    fetch: reader.function<Fetch>("fetch") ?? ((url, init) => globalThis.fetch(url, init)),
    partBytes: partBytes - partBytes % CHUNK_BYTES,
  };
}

function readCredentials(reader: ConfigReader): GcsCredentials {
  const given = ["serviceAccount", "token", "hmac"].filter((field) =>
    reader.raw(field) !== undefined
  );
  if (given.length > 1) {
    throw new TypeError(
      `${SUBJECT}: ${
        given.map((field) => `'${field}'`).join(" and ")
      } exclude each other: give one of them`,
    );
  }
  const token = reader.function<NonNullable<GcsConfig["token"]>>("token");
  if (token !== undefined) return { kind: "token", token };
  const account = reader.raw("serviceAccount") as Partial<GcsServiceAccount> | undefined;
  if (account !== undefined) {
    if (!isText(account?.client_email) || !isText(account.private_key)) {
      throw new TypeError(
        `${SUBJECT}: 'serviceAccount' must have 'client_email' and 'private_key', as the JSON file of its key does: current value is not shown`,
      );
    }
    return { kind: "serviceAccount", account: account as GcsServiceAccount };
  }
  const key = reader.raw("hmac") as Partial<GcsHmacKey> | undefined;
  if (key === undefined) return { kind: "default" };
  if (!isText(key?.accessId) || !isText(key.secret)) {
    throw new TypeError(
      `${SUBJECT}: 'hmac' must have 'accessId' and 'secret': current value is not shown`,
    );
  }
  return { kind: "hmac", key: key as GcsHmacKey };
}

function readEndpoint(reader: ConfigReader): string {
  const endpoint = reader.string("endpoint") ?? "https://storage.googleapis.com";
  if (!/^https?:\/\/[^\s/?#@]+(?:\/[^\s?#]*)?$/.test(endpoint)) {
    throw new TypeError(
      `${SUBJECT}: 'endpoint' must be a URL such as "https://storage.googleapis.com": current value is not shown, it may hold a secret`,
    );
  }
  return endpoint.replace(/\/+$/, "");
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
