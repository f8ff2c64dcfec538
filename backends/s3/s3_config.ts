import { ConfigReader, type RawConfig, show } from "../../src/config.ts";
import type { Fetch } from "../_object_store/http.ts";
import {
  OBJECT_STORE_FIELDS,
  type ObjectStoreConfig,
  type ObjectStoreSettings,
  readObjectStoreSettings,
} from "../_object_store/settings.ts";
import type { S3Credentials, S3CredentialSource } from "../_s3_api/s3_credentials.ts";
import type { AwsConfig, S3ClientLike } from "./aws_config.ts";

/** Config of an S3 backend. */
export interface S3Config extends ObjectStoreConfig {
  /** `"s3"`, for the registry. */
  readonly type?: "s3";
  /** The bucket, which must exist. */
  readonly bucket: string;
  /**
   * Config of the client of `@aws-sdk/client-s3`: `region`, `endpoint`,
   * `forcePathStyle`, `credentials` (its own chain when they are not given)
   * and all others. With `transport: "fetch"` those four are read.
   */
  readonly awsConfig?: AwsConfig;
  /**
   * A ready client of `@aws-sdk/client-s3` to use instead; it stays open, and its own retries apply.
   *
   * On Deno, whose `node:http` sends a request that was given up again where its
   * connection was used before (https://github.com/denoland/deno/issues/36786),
   * a write could come to the store after later ones. A client that is made of
   * `awsConfig` is guarded against it; give a ready one agents that keep no
   * connections: `requestHandler: { httpsAgent: new Agent({ keepAlive: false }) }`,
   * with the `Agent` of `node:https`.
   */
  readonly client?: S3ClientLike;
  /**
   * `"sdk"` sends requests by `@aws-sdk/client-s3`. `"fetch"` sends them by
   * `fetch`, signed by `aws4fetch`: it runs in Workers too, and needs
   * `awsConfig.region` and `awsConfig.credentials`.
   *
   * @default "sdk"
   */
  readonly transport?: "sdk" | "fetch";
  /** The `fetch` of `transport: "fetch"`. @default the runtime's */
  readonly fetch?: Fetch;
  /**
   * Bytes of a part of a value that is streamed, at least 5 MiB: a number, or
   * a string such as `"8MB"`. A value has at most 10,000 parts.
   *
   * @default "5MB"
   */
  readonly partBytes?: number | string;
}

/** How the store is reached. */
export type S3Transport =
  | { readonly kind: "client"; readonly client: S3ClientLike }
  | { readonly kind: "sdk"; readonly config: AwsConfig }
  | {
    readonly kind: "fetch";
    readonly url: string;
    readonly region: string;
    readonly credentials: S3CredentialSource;
    readonly fetch: Fetch;
  };

/** A config that has been checked. */
export interface S3Settings extends ObjectStoreSettings {
  /** The bucket. */
  readonly bucket: string;
  /** How the store is reached. */
  readonly transport: S3Transport;
  /** Bytes of a part. */
  readonly partBytes: number;
}

const SUBJECT = "Cannot open s3 backend";
const FIELDS = [
  ...OBJECT_STORE_FIELDS,
  "bucket",
  "awsConfig",
  "client",
  "transport",
  "fetch",
  "partBytes",
] as const;

const MIB = 1024 * 1024;

/** S3 takes no smaller part but the last. */
const MIN_PART_BYTES = 5 * MIB;

/**
 * Checks a config.
 *
 * @throws {TypeError} when a field is unknown, missing or of a wrong type. Credentials are never shown.
 * @throws {RangeError} when a number is out of range.
 */
export function readS3Config(config: RawConfig): S3Settings {
  const reader = new ConfigReader(SUBJECT, config, FIELDS);
  const bucket = reader.string("bucket");
  if (bucket === undefined || !/^[\w.:-]{3,255}$/.test(bucket)) {
    throw new TypeError(
      `${SUBJECT}: 'bucket' must be the name of a bucket, such as "my-cache": current value is ${
        show(reader.raw("bucket"))
      }`,
    );
  }
  const partBytes = reader.bytes("partBytes") ?? MIN_PART_BYTES;
  if (partBytes < MIN_PART_BYTES) {
    throw new RangeError(
      `${SUBJECT}: 'partBytes' must be at least 5 MiB: current value is ${partBytes}`,
    );
  }
  return {
    ...readObjectStoreSettings(reader, "s3", SUBJECT),
    bucket,
    transport: readTransport(reader, bucket),
    partBytes,
  };
}

function readTransport(reader: ConfigReader, bucket: string): S3Transport {
  const transport = reader.oneOf("transport", ["sdk", "fetch"]) ?? "sdk";
  const fetch = reader.function<Fetch>("fetch");
  const client = reader.raw("client") as S3ClientLike | undefined;
  const config = (reader.raw("awsConfig") ?? {}) as AwsConfig;
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new TypeError(`${SUBJECT}: 'awsConfig' must be an object: current value is not shown`);
  }
  if (transport === "sdk") {
    if (fetch !== undefined) {
      throw new TypeError(`${SUBJECT}: 'fetch' needs 'transport: "fetch"'`);
    }
    if (client === undefined) return { kind: "sdk", config };
    if (typeof client !== "object" || client === null || typeof client.send !== "function") {
      throw new TypeError(
        `${SUBJECT}: 'client' must be a client of the "@aws-sdk/client-s3" package`,
      );
    }
    if (reader.raw("awsConfig") !== undefined) {
      throw new TypeError(
        `${SUBJECT}: 'client' and 'awsConfig' exclude each other: give one of them`,
      );
    }
    return { kind: "client", client };
  }
  if (client !== undefined) throw new TypeError(`${SUBJECT}: 'client' needs 'transport: "sdk"'`);
  const { region } = config;
  if (typeof region !== "string" || !/^[\w-]+$/.test(region)) {
    throw new TypeError(
      `${SUBJECT}: 'awsConfig.region' must be a region such as "us-west-2" for 'transport: "fetch"': current value is ${
        show(region)
      }`,
    );
  }
  return {
    kind: "fetch",
    url: bucketUrl(config, bucket, region),
    region,
    credentials: readCredentials(config),
    fetch: fetch ?? ((url, init) => globalThis.fetch(url, init)),
  };
}

function bucketUrl(
  { endpoint = undefined, forcePathStyle = false }: AwsConfig,
  bucket: string,
  region: string,
): string {
  const address = endpoint ?? `https://s3.${region}.amazonaws.com`;
  const url = typeof address === "string" && URL.canParse(address) ? new URL(address) : undefined;
  if (
    url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" ||
    url.password !== "" || url.search !== "" || url.hash !== ""
  ) {
    throw new TypeError(
      `${SUBJECT}: 'awsConfig.endpoint' must be a URL such as "https://s3.us-west-2.amazonaws.com": current value is not shown, it may hold a secret`,
    );
  }
  const path = url.pathname.replace(/\/+$/, "");
  // A bucket with dots is under no certificate, and an address has no names below it.
  const isInPath = forcePathStyle || bucket.includes(".") || /^[\d.]+$|^\[/.test(url.hostname);
  return isInPath
    ? `${url.origin}${path}/${bucket}`
    : `${url.protocol}//${bucket}.${url.host}${path}`;
}

function readCredentials({ credentials }: AwsConfig): S3CredentialSource {
  if (typeof credentials === "function") return async () => checkedCredentials(await credentials());
  return checkedCredentials(credentials);
}

function checkedCredentials(credentials: unknown): S3Credentials {
  const { accessKeyId, secretAccessKey } = (credentials ?? {}) as Partial<S3Credentials>;
  if (!isText(accessKeyId) || !isText(secretAccessKey)) {
    throw new TypeError(
      `${SUBJECT}: 'awsConfig.credentials' must have 'accessKeyId' and 'secretAccessKey', or be a function that gives them, for 'transport: "fetch"': current value is not shown`,
    );
  }
  return credentials as S3Credentials;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
