import { BUILTIN_CODECS, BUILTIN_SERIALIZERS, type NumberedBuiltin } from "../builtins.ts";
import { ConfigReader, show, TIER_FIELDS } from "../config.ts";
import { DEFAULT_MAX_DECODED_BYTES, type WriteFormat } from "../entry/content.ts";
import { systemClock } from "../clock.ts";
import {
  codecById,
  codecByName,
  codecNames,
  registerCodec,
  registerSerializer,
  serializerById,
  serializerByName,
  serializerNames,
} from "../formats.ts";
import type { CacheBackend, Clock, Codec, Serializer } from "../types.ts";
import { backendFlaw, isBackend } from "./backend_shape.ts";
import { type BreakerConfig, readBreaker } from "./breaker_options.ts";
import {
  type PrefetchOptions,
  type ResolvedPrefetchOptions,
  resolvePrefetchOptions,
} from "../warming/prefetch_options.ts";
import {
  type ResolvedSnapshotOptions,
  resolveSnapshotOptions,
  type SnapshotOptions,
} from "../warming/snapshot_options.ts";
import type { Duration } from "./cache.ts";
import {
  type CoordinationConfig,
  type CoordinationOptions,
  readCoordination,
} from "./coordination_options.ts";
import type { TierLimits } from "./tier_limits.ts";

/** Fields that every tier's config may have beside its backend's own. */
export interface TierConfig {
  /** The longest that entries live in this tier. @default {Infinity} */
  readonly maxTtl?: Duration | undefined;
  /** The largest entry that this tier takes, in bytes or as `"64KB"`; larger ones are kept by the others. @default {Infinity} */
  readonly maxEntryBytes?: number | string | undefined;
  /** How long one operation may take before the tier counts as failed. @default {5} */
  readonly deadline?: Duration | undefined;
  /**
   * When the tier counts as down and is left alone until it answers a probe;
   * `false` for never. Tiers in memory have none, nor, unless it is given, do
   * those whose parts fail apart from one another, as shards do.
   *
   * @default {as {@linkcode BreakerConfig} says}
   */
  readonly breaker?: BreakerConfig | false | undefined;
}

/** A tier by the type of its backend; the other fields are the backend's own. */
export interface BackendConfig extends TierConfig {
  /** A built-in type or one known to {@linkcode CacheBackendRegistry}. */
  readonly type: string;
  /** A field of the backend's own. */
  readonly [field: string]: unknown;
}

/** A tier by a backend that is there already. It is closed with the cache. */
export interface ReadyBackendConfig extends TierConfig {
  /** The backend. */
  readonly backend: CacheBackend;
}

/** Options of {@linkcode CacheManager.open}. */
export interface CacheManagerOptions {
  /** The tiers, fastest first. */
  readonly backends: readonly (BackendConfig | ReadyBackendConfig | CacheBackend)[];
  /** How long values live where a write does not say. @default {Infinity} */
  readonly defaultTtl?: Duration | undefined;
  /** Whether values are compressed where that is worth it. @default {true where `compression` is given} */
  readonly enableCompression?: boolean | undefined;
  /** The codec: `"lz4"`, `"zstd"`, `"gzip"`, `"deflate"`, `"brotli"`, one that is registered, or one itself. @default {"lz4"} */
  readonly compression?: string | Codec | undefined;
  /** Values of fewer bytes are not compressed. @default {1024} */
  readonly compressionMinBytes?: number | string | undefined;
  /** The serializer of values that are not bytes: `"structured"`, `"json"`, `"msgpack"`, one that is registered, or one itself. @default {"structured"} */
  readonly serializationFormat?: string | Serializer | undefined;
  /** The most bytes that a compressed value may decode to. @default {"256MB"} */
  readonly maxDecodedBytes?: number | string | undefined;
  /** Whether statistics ask the backends what they hold; what was done is counted anyhow. @default {true} */
  readonly enableStats?: boolean | undefined;
  /**
   * Whether entries are fetched from slower tiers before they are asked for,
   * by what has followed what. Needs memory as its first tier, and a slower one
   * or a loader.
   *
   * @default {false}
   */
  readonly prefetch?: boolean | PrefetchOptions | undefined;
  /** Where the hot keys are kept, so that the next process starts warm. @default {nowhere} */
  readonly snapshot?: SnapshotOptions | undefined;
  /**
   * Whether the time that a loader has taken, its share of it in a batch, is
   * the cost of what it makes, in milliseconds; see {@linkcode SetOptions.cost}.
   *
   * @default {false}
   */
  readonly measureLoadCost?: boolean | undefined;
  /** How processes that share a store agree, and tiers are brought what they missed. @default {as {@linkcode CoordinationConfig} says} */
  readonly coordination?: CoordinationConfig | undefined;
  /** The one source of time. @default {the system's clock} */
  readonly clock?: Clock | undefined;
  /** The one source of randomness, from 0 up to, but not including, 1. @default {Math.random} */
  readonly random?: (() => number) | undefined;
}

/** Options that have been checked. */
export interface ResolvedOptions {
  readonly tiers: readonly ResolvedTier[];
  readonly defaultTtl: number;
  readonly format: WriteFormat;
  readonly maxDecodedBytes: number;
  readonly asksBackends: boolean;
  readonly prefetch: ResolvedPrefetchOptions | undefined;
  readonly snapshot: ResolvedSnapshotOptions | undefined;
  readonly measuresLoadCost: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly coordination: CoordinationOptions;
}

/** One tier's config, parted into what is the manager's and what the backend's. */
export interface ResolvedTier {
  readonly limits: TierLimits;
  readonly source: CacheBackend | { readonly type: string; readonly [field: string]: unknown };
}

const SUBJECT = "Cannot open cache";
const DEFAULT_DEADLINE_MS = 5000;
const DEFAULT_COMPRESSION_MIN_BYTES = 1024;

const DEFAULT_SERIALIZER = "structured";
const DEFAULT_CODEC = "lz4";

/** Where codecs, or serializers, are known. */
interface FormatKind<T> {
  readonly builtins: Readonly<Record<string, NumberedBuiltin<T>>>;
  readonly byId: (id: number) => T | Promise<T> | undefined;
  readonly register: (format: T) => void;
}

const SERIALIZERS: FormatKind<Serializer> = {
  builtins: BUILTIN_SERIALIZERS,
  byId: serializerById,
  register: registerSerializer,
};

const CODECS: FormatKind<Codec> = {
  builtins: BUILTIN_CODECS,
  byId: codecById,
  register: registerCodec,
};

const FIELDS = [
  "backends",
  "defaultTtl",
  "enableStats",
  "enableCompression",
  "compression",
  "compressionMinBytes",
  "serializationFormat",
  "maxDecodedBytes",
  "prefetch",
  "snapshot",
  "measureLoadCost",
  "coordination",
  "clock",
  "random",
];

/**
 * Checks options and loads what they name.
 *
 * @throws {TypeError} for a wrong type, an unknown field or name.
 * @throws {RangeError} for a number out of range.
 */
export async function resolveOptions(options: unknown): Promise<ResolvedOptions> {
  const reader = new ConfigReader(SUBJECT, options, FIELDS);
  const backends = reader.raw("backends");
  if (!Array.isArray(backends) || backends.length === 0) {
    throw new TypeError(
      `${SUBJECT}: 'backends' must be an array of at least one tier: current value is ${
        show(backends)
      }`,
    );
  }
  const clock = reader.raw("clock");
  if (clock !== undefined && !isClock(clock)) {
    throw new TypeError(`${SUBJECT}: 'clock' must be a Clock: current value is ${show(clock)}`);
  }
  return {
    tiers: backends.map(resolveTier),
    defaultTtl: reader.duration("defaultTtl") ?? Infinity,
    maxDecodedBytes: reader.bytes("maxDecodedBytes") ?? DEFAULT_MAX_DECODED_BYTES,
    asksBackends: reader.boolean("enableStats") ?? true,
    prefetch: resolvePrefetchOptions(reader.raw("prefetch")),
    snapshot: resolveSnapshotOptions(reader.raw("snapshot")),
    measuresLoadCost: reader.boolean("measureLoadCost") ?? false,
    clock: clock ?? systemClock,
    random: reader.function<() => number>("random") ?? Math.random,
    coordination: readCoordination(SUBJECT, reader.raw("coordination")),
    format: await resolveFormat(reader),
  };
}

function resolveTier(tier: unknown, at: number): ResolvedTier {
  const subject = `${SUBJECT}: backends[${at}]`;
  if (isBackend(tier)) {
    assertWhole(subject, tier);
    return { source: tier, limits: tierLimits(subject, {}) };
  }
  if (typeof tier !== "object" || tier === null) {
    throw new TypeError(
      `${subject} must be a config object or a CacheBackend: current value is ${show(tier)}`,
    );
  }
  const { maxTtl, maxEntryBytes, deadline, breaker, ...source } = tier as TierConfig & {
    readonly [field: string]: unknown;
  };
  const limits = tierLimits(subject, { maxTtl, maxEntryBytes, deadline, breaker });
  const { backend } = source;
  if (backend !== undefined) {
    if (!isBackend(backend)) {
      throw new TypeError(
        `${subject}: 'backend' must be a CacheBackend: current value is ${show(backend)}`,
      );
    }
    new ConfigReader(subject, source, ["backend"]);
    assertWhole(subject, backend);
    return { source: backend, limits };
  }
  if (typeof source["type"] !== "string") {
    throw new TypeError(
      `${subject}: 'type' must be a string: current value is ${show(source["type"])}`,
    );
  }
  return { source: source as { readonly type: string }, limits };
}

function tierLimits(subject: string, config: TierConfig): TierLimits {
  const reader = new ConfigReader(subject, config, TIER_FIELDS);
  return {
    maxTtl: reader.duration("maxTtl") ?? Infinity,
    maxEntryBytes: reader.bytes("maxEntryBytes") ?? Infinity,
    deadline: reader.duration("deadline") ?? DEFAULT_DEADLINE_MS,
    breaker: config.breaker === undefined ? undefined : readBreaker(subject, config.breaker),
  };
}

async function resolveFormat(reader: ConfigReader): Promise<WriteFormat> {
  const serializer = reader.raw("serializationFormat");
  const compression = reader.raw("compression");
  const isEnabled = reader.boolean("enableCompression") ?? compression !== undefined;
  // Also checked where it is not used.
  const codec = isFormat<Codec>(compression)
    ? registered("compression", compression, CODECS)
    : reader.oneOf("compression", codecNames()) ?? DEFAULT_CODEC;
  return {
    serializer: isFormat<Serializer>(serializer)
      ? registered("serializationFormat", serializer, SERIALIZERS)
      : await serializerByName(
        reader.oneOf("serializationFormat", serializerNames()) ?? DEFAULT_SERIALIZER,
      ),
    codec: !isEnabled ? undefined : typeof codec === "string" ? await codecByName(codec) : codec,
    compressionMinBytes: reader.bytes("compressionMinBytes") ?? DEFAULT_COMPRESSION_MIN_BYTES,
  };
}

/** A codec or serializer of the caller's own. What it writes must be readable, so it is registered unless one like it is. */
function registered<T extends Codec | Serializer>(
  field: string,
  format: T,
  { builtins, byId, register }: FormatKind<T>,
): T {
  const { id, name } = format;
  if (Object.hasOwn(builtins, name) && builtins[name]!.id === id) return format;
  try {
    register(format);
  } catch (error) {
    if (error instanceof RangeError) {
      throw new RangeError(`${SUBJECT}: '${field}': ${error.message}`, { cause: error });
    }
    const holder = byId(id);
    if (holder === undefined || holder instanceof Promise || holder.name !== name) {
      throw new TypeError(`${SUBJECT}: '${field}': ${(error as TypeError).message}`, {
        cause: error,
      });
    }
  }
  return format;
}

function assertWhole(subject: string, backend: CacheBackend): void {
  const flaw = backendFlaw(backend);
  if (flaw !== undefined) throw new TypeError(`${subject} is no CacheBackend: ${flaw}`);
}

function isClock(value: unknown): value is Clock {
  const clock = value as Partial<Clock> | null;
  return typeof clock?.now === "function" && typeof clock.recent === "function" &&
    typeof clock.schedule === "function";
}

function isFormat<T extends Codec | Serializer>(value: unknown): value is T {
  const format = value as Partial<Codec> | null;
  return typeof format === "object" && format !== null && typeof format.encode === "function" &&
    typeof format.decode === "function" && typeof format.id === "number" &&
    typeof format.name === "string";
}
