import { show } from "./config.ts";
import type { MaybePromise } from "./maybe_promise.ts";
import type { Cache } from "./manager/cache.ts";
import type { WarmOptions, WarmReport } from "./warming/warm_options.ts";

/** A text on its way to its vector. */
export interface WarmText {
  /** The key of its vector. */
  readonly key: string;
  /** The text. */
  readonly text: string;
}

/** Options of {@linkcode EmbeddingCache.warm}: those of {@linkcode Cache.warm}, but that `priority` gets the text. */
export interface EmbeddingWarmOptions extends Omit<WarmOptions, "loader" | "priority"> {
  /** The dimensions asked of the model. @default {those of the model} */
  readonly dimensions?: number | undefined;
  /** Higher ones first, as in {@linkcode WarmOptions.priority}. @default {as they come} */
  readonly priority?: ((text: string) => number) | undefined;
}

/** What warming texts needs of the cache of embeddings. */
export interface EmbeddingWarmParts {
  readonly cache: Partial<Pick<Cache, "warm">>;
  readonly options: WarmOptions<WarmText>;
  readonly keyOf: (text: string) => MaybePromise<string>;
  /** Asks the model and packs the vectors; absent where it is not to be asked. */
  readonly embed:
    | ((texts: string[], signal: AbortSignal) => Promise<readonly unknown[]>)
    | undefined;
}

/** As {@linkcode EmbeddingCache.warm}. */
export async function warmTexts(
  texts: Iterable<string> | AsyncIterable<string>,
  { cache, options, keyOf, embed }: EmbeddingWarmParts,
): Promise<WarmReport> {
  if (cache.warm === undefined) {
    throw new TypeError("Cannot warm embeddings: the cache beneath has no method 'warm'");
  }
  if (!isIterable(texts)) {
    throw new TypeError(
      `Cannot warm embeddings: 'texts' must be an array or iterable of strings: current value is ${
        show(texts)
      }`,
    );
  }
  const item = async (text: string): Promise<WarmText> => ({ key: await keyOf(text), text });
  const items = Array.isArray(texts) ? await Promise.all(texts.map(item)) : itemsOf(texts, item);
  return await cache.warm<WarmText>(items, {
    ...options,
    loader: embed && ((_, { signal, items }) => embed(items.map(({ text }) => text), signal)),
  });
}

async function* itemsOf(
  texts: Iterable<string> | AsyncIterable<string>,
  item: (text: string) => Promise<WarmText>,
): AsyncGenerator<WarmText> {
  for await (const text of texts) yield await item(text);
}

function isIterable(texts: unknown): texts is Iterable<string> | AsyncIterable<string> {
  return typeof texts === "object" && texts !== null &&
    (Symbol.iterator in texts || Symbol.asyncIterator in texts);
}
