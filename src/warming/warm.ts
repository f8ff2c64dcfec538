import { show } from "../config.ts";
import type { CacheCore } from "../manager/scoped_cache.ts";
import type { LoadStorage } from "../manager/loads.ts";
import type { Scope } from "../manager/scope.ts";
import { Rooms } from "./rooms.ts";
import { type ReadyValue, WarmBatch } from "./warm_batch.ts";
import { keysOfItems, keysOfTier, listingTier, type WantedKey } from "./warm_keys.ts";
import {
  resolveWarmOptions,
  type WarmEntry,
  type WarmItem,
  type WarmOptions,
  type WarmReport,
  type WarmSource,
} from "./warm_options.ts";
import { keysOfSnapshot } from "./warm_snapshot.ts";
import { Warmer } from "./warmer.ts";

/** A cache or namespace, seen from inside. */
export interface Scoped {
  readonly core: CacheCore;
  readonly scope: Scope;
}

/** What belongs to the cache that is warmed. */
export interface WarmTarget extends Scoped {
  /** Looks inside another cache; `undefined` for what is none of this library. */
  readonly lookInside: (cache: unknown) => Scoped | undefined;
  /** How values are stored that are ready or loaded. */
  readonly storageOf: (ttl: WarmEntry["ttl"], tags: WarmEntry["tags"]) => LoadStorage;
}

/** A source, taken apart. */
interface Opened<I extends WarmItem> {
  readonly keys: AsyncGenerator<WantedKey<I>>;
  readonly total: number | undefined;
  readonly skipped: number;
  readonly readReady: (
    keys: readonly WantedKey<I>[],
    signal: AbortSignal,
  ) => Promise<Map<string, ReadyValue>>;
}

/** As {@linkcode Cache.warm}. */
export async function warm<I extends WarmItem>(
  target: WarmTarget,
  source: WarmSource<I>,
  options: WarmOptions<I>,
): Promise<WarmReport> {
  const resolved = resolveWarmOptions(options);
  const storage = target.storageOf(options.ttl, options.tags);
  resolved.signal?.throwIfAborted();
  const { stack, loads, closing } = target.core;
  const signal = resolved.signal ? AbortSignal.any([closing, resolved.signal]) : closing;
  const opened = openSource(target, source, options, signal);
  const rooms = new Rooms(stack.fills.tiers);
  const total = opened.total === undefined
    ? undefined
    : Math.min(resolved.maxKeys, Math.max(0, opened.total - opened.skipped));
  const batch = new WarmBatch<I>({
    stack,
    loads,
    rooms,
    storage,
    loader: resolved.loader,
    maxLoads: resolved.maxLoads,
    readReady: opened.readReady,
  });
  const { keys, skipped } = opened;
  const { clock } = stack;
  const warmer = new Warmer<I>({
    options: resolved,
    keys: leaveOut(keys, skipped),
    total,
    skipped,
    batch,
    rooms,
    clock,
    closing,
  });
  return await warmer.run();
}

function openSource<I extends WarmItem>(
  target: WarmTarget,
  source: WarmSource<I>,
  { resumeFrom = 0, priority, ttl, tags }: WarmOptions<I>,
  signal: AbortSignal,
): Opened<I> {
  const { core, scope } = target;
  const inside = target.lookInside(source);
  if (inside !== undefined) return ofCache(target, inside, "*", signal) as unknown as Opened<I>;
  if (isItems<I>(source)) {
    return {
      keys: keysOfItems(source, scope, priority),
      total: Array.isArray(source) ? source.length : (source as { size?: number }).size,
      skipped: resumeFrom,
      readReady: (keys) => Promise.resolve(readyOf(target, keys, ttl, tags)),
    };
  }
  const { cache, pattern, tier, snapshot } = (source ?? {}) as {
    cache?: unknown;
    snapshot?: unknown;
    pattern?: unknown;
    tier?: string;
  };
  if (cache !== undefined) {
    const other = target.lookInside(cache);
    if (other === undefined) {
      throw new TypeError("Cannot warm: 'cache' must be a cache or namespace of this library");
    }
    return ofCache(target, other, pattern ?? "*", signal) as unknown as Opened<I>;
  }
  if (typeof snapshot === "string") {
    const { clock, fills: { tiers } } = core.stack;
    const takesValues = tiers.length === 1 && tiers[0]!.isInProcess;
    return {
      keys: keysOfSnapshot({ path: snapshot, scope, clock, takesValues }) as AsyncGenerator<
        WantedKey<I>
      >,
      total: undefined,
      skipped: resumeFrom,
      readReady: (keys) => Promise.resolve(readyOf(target, keys, ttl, tags)),
    };
  }
  if (pattern === undefined) {
    throw new TypeError(
      `Cannot warm: source must be a list, an iterable, a cache, or an object with a 'pattern', 'cache' or 'snapshot': current value is ${
        show(source)
      }`,
    );
  }
  const from = listingTier(core.stack.fills.tiers, tier);
  return {
    keys: keysOfTier(from, asPattern(pattern), scope, scope, signal) as AsyncGenerator<
      WantedKey<I>
    >,
    total: undefined,
    skipped: 0,
    readReady: () => Promise.resolve(new Map()),
  };
}

/** Keys of another cache; what it holds of them is read without counting there as a use. */
function ofCache(
  { core: { stack: { clock } }, scope }: WarmTarget,
  other: Scoped,
  pattern: unknown,
  signal: AbortSignal,
): Opened<string> {
  const { fills } = other.core.stack;
  return {
    keys: keysOfTier(
      listingTier(fills.tiers, undefined),
      asPattern(pattern),
      other.scope,
      scope,
      signal,
    ),
    total: undefined,
    skipped: 0,
    readReady: async (keys, ended) => {
      const entries = await fills.read(keys.map(({ given }) => other.scope.key(given)), ended);
      const ready = new Map<string, ReadyValue>();
      for (const { given, stored } of keys) {
        const entry = entries.get(other.scope.key(given));
        const ttl = entry === undefined ? 0 : entry.expiresAt - clock.now();
        if (!(ttl > 0)) continue;
        const tags = entry!.tags.map((tag) => scope.key(other.scope.given(tag) ?? tag));
        ready.set(stored, { value: await entry!.value(), ttl, tags });
      }
      return ready;
    },
  };
}

function readyOf<I extends WarmItem>(
  { storageOf }: WarmTarget,
  keys: readonly WantedKey<I>[],
  ttl: WarmEntry["ttl"],
  tags: WarmEntry["tags"],
): Map<string, ReadyValue> {
  const ready = new Map<string, ReadyValue>();
  for (const { item, stored } of keys) {
    if (typeof item === "string" || item.value === undefined) continue;
    ready.set(stored, {
      value: item.value,
      ...storageOf(item.ttl ?? ttl, item.tags ?? tags),
    });
  }
  return ready;
}

function isItems<I>(source: unknown): source is Iterable<I> | AsyncIterable<I> {
  const items = source as Partial<Iterable<I> & AsyncIterable<I>> | null | undefined;
  return typeof items === "object" && items !== null &&
    (typeof items[Symbol.iterator] === "function" ||
      typeof items[Symbol.asyncIterator] === "function");
}

function asPattern(pattern: unknown): string {
  if (typeof pattern === "string") return pattern;
  throw new TypeError(
    `Cannot warm: 'pattern' must be a string: current value is ${show(pattern)}`,
  );
}

async function* leaveOut<T>(
  items: AsyncGenerator<T>,
  count: number,
): AsyncGenerator<T> {
  let left = count;
  for await (const item of items) {
    if (left > 0) left--;
    else yield item;
  }
}
