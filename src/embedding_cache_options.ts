import { ConfigReader, parseDuration, show } from "./config.ts";
import {
  EMBEDDING_STORAGES,
  type EmbeddingStorage,
  type EmbeddingStorageName,
} from "./embedding_storage.ts";
import type { Cache, Duration, ReadOptions, SetOptions } from "./manager/cache.ts";

/** The methods of a {@linkcode Cache} that an {@linkcode EmbeddingCache} uses. */
export type EmbeddingStore =
  & Pick<Cache, "get" | "set" | "delete" | "getMany" | "deleteMany" | "getOrSetMany">
  & Partial<Pick<Cache, "warm">>;

/** Those methods by name that it cannot do without. */
export const STORE_METHODS = [
  "get",
  "set",
  "delete",
  "getMany",
  "deleteMany",
  "getOrSetMany",
] as const;

/**
 * Asks the model for the vectors of texts, in their order.
 *
 * @param texts each of them once.
 * @param context its signal is aborted when nobody waits for the vectors any more.
 */
export type Embed = (
  texts: string[],
  context: { readonly signal: AbortSignal },
) =>
  | readonly (Float32Array | readonly number[])[]
  | Promise<readonly (Float32Array | readonly number[])[]>;

/** What an {@linkcode EmbeddingCache} has done since it was made. */
export interface EmbeddingCacheStats {
  /** Texts whose vector was cached, or came with an equal text of the same batch or of another call. */
  readonly hits: number;
  /** Texts whose vector was not there. */
  readonly misses: number;
  /** Calls of the model. */
  readonly modelCalls: number;
  /** Calls of {@linkcode EmbeddingCache.getOrEmbed} that did not need the model. */
  readonly modelCallsSaved: number;
  /** Texts that the model was given. */
  readonly textsEmbedded: number;
}

/** Options of {@linkcode EmbeddingCache}. */
export interface EmbeddingCacheOptions {
  /**
   * Begins every key, up to a colon, so it has none itself.
   *
   * @default {"embeddings"}
   */
  readonly prefix?: string | undefined;
  /**
   * How long vectors live where a call says nothing else: seconds, or a string with a unit.
   *
   * @default {"24h"}
   */
  readonly defaultTtl?: Duration | undefined;
  /** The length of the vectors where a call or its model says nothing else. @default {undefined} any length */
  readonly dimensions?: number | undefined;
  /** The most texts that the model is given in one call; more become several calls, one after another. @default {Infinity} */
  readonly maxBatch?: number | undefined;
  /**
   * Texts of more UTF-16 code units stand in their keys by their SHA-256, so
   * that long ones take no room in the tiers; `Infinity` for none.
   *
   * @default {1024}
   */
  readonly digestTextsOver?: number | undefined;
  /**
   * How the tiers hold vectors. What is called lossy gives back vectors that
   * are near the model's, for fewer bytes; each way has keys of its own.
   *
   * @default {"float32"}
   */
  readonly storage?: EmbeddingStorageName | undefined;
}

/** Options of reads from an {@linkcode EmbeddingCache}. */
export interface EmbeddingReadOptions extends ReadOptions {
  /** The length of the vectors; another length is another key, and what has it is a miss. */
  readonly dimensions?: number | undefined;
}

/** Options of writes to an {@linkcode EmbeddingCache}. */
export interface EmbeddingWriteOptions extends SetOptions {
  /** The length of the vectors; another length is another key, and an error. */
  readonly dimensions?: number | undefined;
}

const DIGEST_TEXTS_OVER = 1024;

/** Options that have been checked. */
export interface ResolvedEmbeddingOptions {
  readonly prefix: string;
  readonly defaultTtl: Duration;
  readonly defaultDimensions: number | undefined;
  readonly maxBatch: number;
  readonly storage: EmbeddingStorage;
  readonly digestTextsOver: number;
}

/**
 * Checks options.
 *
 * @throws {TypeError} when an option is not known or of a wrong type.
 * @throws {RangeError} when an option is out of range.
 */
export function resolveEmbeddingOptions(options: EmbeddingCacheOptions): ResolvedEmbeddingOptions {
  const subject = "Cannot create embedding cache";
  const fields = [
    "prefix",
    "defaultTtl",
    "dimensions",
    "maxBatch",
    "storage",
    "digestTextsOver",
  ];
  const reader = new ConfigReader(subject, options, fields);
  const prefix = reader.string("prefix") ?? "embeddings";
  if (prefix.includes(":")) {
    throw new TypeError(
      `${subject}: 'prefix' must not have a colon: current value is ${show(prefix)}`,
    );
  }
  const { defaultTtl = "24h", maxBatch = Infinity, digestTextsOver = DIGEST_TEXTS_OVER } = options;
  parseDuration(defaultTtl, `${subject}: 'defaultTtl'`);
  if (maxBatch !== Infinity) reader.integer("maxBatch", { min: 1 });
  if (digestTextsOver !== Infinity) reader.integer("digestTextsOver", { min: 0 });
  const storages = Object.keys(EMBEDDING_STORAGES) as EmbeddingStorageName[];
  return {
    prefix,
    defaultTtl,
    defaultDimensions: reader.integer("dimensions", { min: 1 }),
    maxBatch,
    digestTextsOver,
    storage: EMBEDDING_STORAGES[reader.oneOf("storage", storages) ?? "float32"],
  };
}
