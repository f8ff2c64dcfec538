/**
 * A tier in Google Cloud Storage, over `fetch` alone.
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
 *     { type: "gcs", bucket: "embeddings", prefix: "cache" },
 *   ],
 * });
 * await cache.set("key", { any: "value" }, { ttl: "30d" });
 * ```
 */

import type { BackendContext, Clock } from "../src/types.ts";
import type { Random } from "./_back_off.ts";
import { CredentialCache } from "./_object_store/credential_cache.ts";
import type { ObjectStore } from "./_object_store/object_store.ts";
import { ObjectStoreBackend } from "./_object_store/object_store_backend.ts";
import { cachedCredentials } from "./_s3_api/s3_credentials.ts";
import { S3FetchStore } from "./_s3_api/s3_fetch_store.ts";
import { S3Signer } from "./_s3_api/s3_signer.ts";
import { STANDALONE_CONTEXT } from "./_standalone_context.ts";
import { askToken } from "./gcs/ask_token.ts";
import {
  type GcsConfig,
  type GcsSettings,
  type GcsToken,
  readGcsConfig,
} from "./gcs/gcs_config.ts";
import { GcsStore } from "./gcs/gcs_store.ts";

export type { Fetch } from "./_object_store/http.ts";
export type { PurgeOptions, PurgeProgress } from "./_object_store/purge_expired.ts";
export type { ObjectStoreConfig } from "./_object_store/settings.ts";
export { ObjectStoreBackend } from "./_object_store/object_store_backend.ts";
export type { GcsConfig, GcsHmacKey, GcsToken } from "./gcs/gcs_config.ts";
export type { GcsServiceAccount } from "./gcs/service_account.ts";

/**
 * Opens a GCS backend. Nothing is sent before the first operation.
 *
 * @param config as {@linkcode GcsConfig} says.
 * @param context clock and listener.
 * @throws {TypeError} when a field is unknown, missing or of a wrong type.
 * @throws {RangeError} when a number is out of range.
 */
export function createGcsBackend(
  config: Readonly<Record<string, unknown>>,
  context: BackendContext,
): GcsBackend {
  return new GcsBackend(config, context);
}

/**
 * Keeps each frame as an object of a bucket, as {@linkcode ObjectStoreBackend}
 * says. It compares generations for versioned writes and locks; with an HMAC
 * key it finds out whether the XML API takes conditions.
 */
export class GcsBackend extends ObjectStoreBackend {
  /**
   * Creates a backend, without sending anything.
   *
   * @param config the bucket, credentials and limits.
   * @param context clock and listener; the system's clock and none when it is not given.
   * @param random spreads attempts; from 0 up to 1.
   * @throws {TypeError} when a field is unknown, missing or of a wrong type.
   * @throws {RangeError} when a number is out of range.
   */
  constructor(
    config: Readonly<Record<string, unknown>> | GcsConfig,
    context: BackendContext = STANDALONE_CONTEXT,
    random: Random = Math.random,
  ) {
    const settings = readGcsConfig(config as Readonly<Record<string, unknown>>);
    super({ store: storeOf(settings, context.clock), settings, context, random });
  }
}

function storeOf(
  { bucket, credentials, endpoint, fetch, partBytes }: GcsSettings,
  clock: Clock,
): ObjectStore {
  if (credentials.kind === "hmac") {
    const key = { accessKeyId: credentials.key.accessId, secretAccessKey: credentials.key.secret };
    const signer = new S3Signer(cachedCredentials(key, clock), "auto");
    return new S3FetchStore({
      label: "GCS",
      url: `${endpoint}/${bucket}`,
      signer,
      fetch,
      partBytes,
    });
  }
  const tokens = new CredentialCache({
    ask: (signal) => askToken(credentials, fetch, signal),
    endOf: ({ expiresAt }: GcsToken) => expiresAt,
    clock,
  });
  return new GcsStore({ bucket, endpoint, tokens, fetch, partBytes });
}
