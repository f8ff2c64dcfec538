/**
 * Strata, a tiered cache: values sit in memory, on local disk and in whatever
 * else is plugged in, behind one interface. Made for what is dear to compute,
 * embeddings and search results first of all.
 *
 * @example
 * ```ts
 * import { CacheManager, EmbeddingCache } from "@strata/cache";
 *
 * await using cache = await CacheManager.open({
 *   backends: [{ type: "memory", maxSizeMb: 64 }],
 *   defaultTtl: "1d",
 * });
 *
 * const embeddings = new EmbeddingCache(cache);
 * const [vector] = await embeddings.getOrEmbed(
 *   ["some text"],
 *   "my-model",
 *   (missing) => missing.map(() => new Float32Array([0.1, 0.2, 0.3])),
 * );
 * console.assert(vector?.length === 3);
 * ```
 *
 * @module
 */

export { CacheManager } from "./src/manager/cache_manager.ts";
export type {
  BackendConfig,
  CacheManagerOptions,
  ReadyBackendConfig,
  TierConfig,
} from "./src/manager/cache_manager_options.ts";
export type { BreakerConfig } from "./src/manager/breaker_options.ts";
export type { CoordinationConfig } from "./src/manager/coordination_options.ts";
export type {
  Cache,
  Duration,
  GetStreamOptions,
  LoadContext,
  Loader,
  LoadManyContext,
  LoadOptions,
  ManyLoader,
  ReadOptions,
  SetEntry,
  SetOptions,
  SetStreamOptions,
} from "./src/manager/cache.ts";
export type { ScopedCache } from "./src/manager/scoped_cache.ts";
export { CacheBackendRegistry } from "./src/registry.ts";

export type {
  EvictionLimits,
  EvictionPolicy,
  EvictionPolicyFactory,
  Placement,
} from "./src/eviction/eviction_policy.ts";
export type { EvictionPolicyName } from "./src/eviction/policies.ts";
export type {
  BackendContext,
  BackendFactory,
  BackendReport,
  BackendSetOptions,
  BackendStats,
  ByteRange,
  CacheBackend,
  ClearOptions,
  Clock,
  Codec,
  DecodeOptions,
  FrameReadOptions,
  OperationOptions,
  Serializer,
  StoredFrame,
  StreamedEntry,
  VersionedOutcome,
} from "./src/types.ts";
export { CacheError, isCacheError } from "./src/errors.ts";
export type { CacheErrorCode, CacheErrorOptions } from "./src/errors.ts";
export { CacheEntry } from "./src/entry/entry.ts";
export type { EntryMetadata } from "./src/entry/frame.ts";
export type { WriteFormat } from "./src/entry/content.ts";
export type { MaybePromise } from "./src/maybe_promise.ts";
export { compileGlob, escapeGlob } from "./src/glob.ts";
export { registerCodec, registerSerializer } from "./src/formats.ts";
export { systemClock } from "./src/clock.ts";
export { jsonSerializer } from "./src/serializers/json.ts";
export { structuredSerializer } from "./src/serializers/structured.ts";
export { createMessagePackSerializer } from "./src/serializers/messagepack.ts";
export type { MessagePackModule, MessagePackOptions } from "./src/serializers/messagepack.ts";
export type { CacheEvents, CacheListener, TierOutcome } from "./src/observability/events.ts";
export type { PrefetchOptions } from "./src/warming/prefetch_options.ts";
export type {
  WarmCache,
  WarmCounts,
  WarmEnd,
  WarmEntry,
  WarmItem,
  WarmLoadContext,
  WarmLoader,
  WarmOptions,
  WarmPattern,
  WarmProgress,
  WarmReport,
  WarmSnapshot,
  WarmSource,
} from "./src/warming/warm_options.ts";
export type { SnapshotOptions } from "./src/warming/snapshot_options.ts";
export type { SnapshotStats } from "./src/warming/snapshots.ts";
export type { PrefetchChange, PrefetchStats } from "./src/warming/prefetcher.ts";
export type { CacheStats, CoordinationStats, TierStats } from "./src/observability/stats.ts";

export { EmbeddingCache } from "./src/embedding_cache.ts";
export type {
  Embed,
  EmbeddingCacheOptions,
  EmbeddingCacheStats,
  EmbeddingModel,
  EmbeddingReadOptions,
  EmbeddingStorageName,
  EmbeddingStore,
  EmbeddingWarmOptions,
  EmbeddingWriteOptions,
} from "./src/embedding_cache.ts";
export { QueryResultCache } from "./src/query_result_cache.ts";
export type {
  QueryResultCacheOptions,
  QueryResultCacheStats,
  QueryResultStore,
  QueryWarmOptions,
  Search,
  WarmQuery,
} from "./src/query_result_cache.ts";

export { BroadcastChannelBus } from "./src/coordination/broadcast_channel_bus.ts";
export type { BroadcastChannelBusOptions } from "./src/coordination/broadcast_channel_bus.ts";
export type {
  Invalidation,
  InvalidationBus,
  InvalidationBusSource,
  InvalidationListener,
} from "./src/coordination/invalidation_bus.ts";
export type {
  AcquireOptions,
  Lock,
  LockProvider,
  LockProviderSource,
} from "./src/coordination/lock_provider.ts";
