/**
 * A tier in Azure Blob Storage.
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
 *     { type: "azure", container: "embeddings", accountName: "name", accountKey: "a-key" },
 *   ],
 * });
 * await cache.set("key", { any: "value" }, { ttl: "30d" });
 * ```
 */

import type { BackendContext } from "../src/types.ts";
import type { Random } from "./_back_off.ts";
import { ObjectStoreBackend } from "./_object_store/object_store_backend.ts";
import { STANDALONE_CONTEXT } from "./_standalone_context.ts";
import { type AzureConfig, readAzureConfig } from "./azure/azure_config.ts";
import { connectAzure } from "./azure/azure_connect.ts";
import { AzureStore } from "./azure/azure_store.ts";

export type { PurgeOptions, PurgeProgress } from "./_object_store/purge_expired.ts";
export type { ObjectStoreConfig } from "./_object_store/settings.ts";
export { ObjectStoreBackend } from "./_object_store/object_store_backend.ts";
export type {
  AzureConfig,
  AzureContainerClientLike,
  AzureTokenCredential,
} from "./azure/azure_config.ts";

/**
 * Opens an Azure backend. Nothing is loaded or sent before the first operation.
 *
 * @param config as {@linkcode AzureConfig} says.
 * @param context clock and listener.
 * @throws {TypeError} when a field is unknown, missing or of a wrong type.
 * @throws {RangeError} when a number is out of range.
 */
export function createAzureBackend(
  config: Readonly<Record<string, unknown>>,
  context: BackendContext,
): AzureBackend {
  return new AzureBackend(config, context);
}

/**
 * Keeps each frame as a block blob of a container, as
 * {@linkcode ObjectStoreBackend} says. It compares ETags for versioned writes
 * and locks.
 */
export class AzureBackend extends ObjectStoreBackend {
  /**
   * Creates a backend, without loading or sending anything.
   *
   * @param config the container, how it is reached, and limits.
   * @param context clock and listener; the system's clock and none when it is not given.
   * @param random spreads attempts; from 0 up to 1.
   * @throws {TypeError} when a field is unknown, missing or of a wrong type.
   * @throws {RangeError} when a number is out of range.
   */
  constructor(
    config: Readonly<Record<string, unknown>> | AzureConfig,
    context: BackendContext = STANDALONE_CONTEXT,
    random: Random = Math.random,
  ) {
    const settings = readAzureConfig(config as Readonly<Record<string, unknown>>);
    const { access, container, partBytes } = settings;
    const store = new AzureStore(() => connectAzure(access, container, context.clock), partBytes);
    super({ store, settings, context, random });
  }
}
