/**
 * A tier in S3, or in any store that speaks its API.
 *
 * @module
 *
 * @example
 * ```ts ignore
 * import { CacheManager } from "@strata/cache";
 *
 * await using cache = await CacheManager.open({
 *   backends: [
 *     { type: "memory", maxSizeMb: 256 },
 *     { type: "s3", bucket: "embeddings", prefix: "cache", awsConfig: { region: "us-west-2" } },
 *   ],
 * });
 * await cache.set("key", { any: "value" }, { ttl: "30d" });
 * ```
 */

import type { BackendContext, Clock } from "../src/types.ts";
import type { Random } from "./_back_off.ts";
import type { ObjectStore } from "./_object_store/object_store.ts";
import { ObjectStoreBackend } from "./_object_store/object_store_backend.ts";
import { cachedCredentials } from "./_s3_api/s3_credentials.ts";
import { S3FetchStore } from "./_s3_api/s3_fetch_store.ts";
import { S3Signer } from "./_s3_api/s3_signer.ts";
import { STANDALONE_CONTEXT } from "./_standalone_context.ts";
import type { AwsConfig } from "./s3/aws_config.ts";
import { readS3Config, type S3Config, type S3Settings } from "./s3/s3_config.ts";
import { S3SdkStore } from "./s3/s3_sdk_store.ts";

export type { PurgeOptions, PurgeProgress } from "./_object_store/purge_expired.ts";
export type { Fetch } from "./_object_store/http.ts";
export type { ObjectStoreConfig } from "./_object_store/settings.ts";
export { ObjectStoreBackend } from "./_object_store/object_store_backend.ts";
export type { S3Credentials, S3CredentialSource } from "./_s3_api/s3_credentials.ts";
export type { AwsConfig, S3ClientLike } from "./s3/aws_config.ts";
export type { S3Config } from "./s3/s3_config.ts";

/**
 * Opens an S3 backend. Nothing is loaded or sent before the first operation.
 *
 * @param config as {@linkcode S3Config} says.
 * @param context clock and listener.
 * @throws {TypeError} when a field is unknown, missing or of a wrong type.
 * @throws {RangeError} when a number is out of range.
 */
export function createS3Backend(
  config: Readonly<Record<string, unknown>>,
  context: BackendContext,
): S3Backend {
  return new S3Backend(config, context);
}

/**
 * Keeps each frame as an object of a bucket, as {@linkcode ObjectStoreBackend}
 * says. Versioned writes and locks need a store that honours `If-None-Match`
 * and `If-Match` on writes, which is found out when they are first asked for.
 */
export class S3Backend extends ObjectStoreBackend {
  /**
   * Creates a backend, without loading or sending anything.
   *
   * @param config the bucket, how it is reached, and limits.
   * @param context clock and listener; the system's clock and none when it is not given.
   * @param random spreads attempts; from 0 up to 1.
   * @throws {TypeError} when a field is unknown, missing or of a wrong type.
   * @throws {RangeError} when a number is out of range.
   */
  constructor(
    config: Readonly<Record<string, unknown>> | S3Config,
    context: BackendContext = STANDALONE_CONTEXT,
    random: Random = Math.random,
  ) {
    const settings = readS3Config(config as Readonly<Record<string, unknown>>);
    super({ store: storeOf(settings, context.clock), settings, context, random });
  }
}

function storeOf(
  { bucket, transport, partBytes }: S3Settings,
  clock: Clock,
): ObjectStore {
  if (transport.kind === "fetch") {
    const { url, region, credentials, fetch } = transport;
    const signer = new S3Signer(cachedCredentials(credentials, clock), region);
    return new S3FetchStore({ label: "S3", url, signer, fetch, partBytes });
  }
  const isReady = transport.kind === "client";
  const client = transport.kind === "client"
    ? transport.client
    : withCachedCredentials(transport.config, clock);
  return new S3SdkStore({ bucket, client, isReady, partBytes, clock });
}

/** The client waits for ever for a function that does not answer. */
function withCachedCredentials(config: AwsConfig, clock: Clock): AwsConfig {
  const { credentials } = config;
  if (typeof credentials !== "function") return config;
  return { ...config, credentials: cachedCredentials(credentials, clock) };
}
