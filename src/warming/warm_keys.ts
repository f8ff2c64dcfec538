import { show } from "../config.ts";
import { compileGlob } from "../glob.ts";
import type { Scope } from "../manager/scope.ts";
import type { Tier } from "../manager/tier.ts";
import type { WarmEntry, WarmItem } from "./warm_options.ts";

/** A key to be warmed. */
export interface WantedKey<I extends WarmItem> {
  /** What the source gave. */
  readonly item: I;
  /** As the caller knows it. */
  readonly given: string;
  /** As the tiers know it. */
  readonly stored: string;
}

/** Keys that come bit by bit are sorted in pieces of so many. */
const SORTED_PIECE = 1000;

/**
 * The keys of a list or of what comes bit by bit.
 *
 * @throws {TypeError} for an item that is no key and has none, when it is its turn.
 */
export async function* keysOfItems<I extends WarmItem>(
  items: Iterable<I> | AsyncIterable<I>,
  scope: Scope,
  priority: ((item: I) => number) | undefined,
): AsyncGenerator<WantedKey<I>> {
  const wanted = (item: I): WantedKey<I> => {
    const given = keyOf(item);
    return { item, given, stored: scope.key(given) };
  };
  if (priority === undefined) {
    for await (const item of items) yield wanted(item);
    return;
  }
  const pieceLength = Array.isArray(items) ? items.length : SORTED_PIECE;
  let piece: I[] = [];
  for await (const item of items) {
    if (piece.push(item) < pieceLength) continue;
    yield* byPriority(piece, priority).map(wanted);
    piece = [];
  }
  yield* byPriority(piece, priority).map(wanted);
}

/** The keys of a namespace that a tier holds and that match a glob. */
export async function* keysOfTier(
  tier: Tier,
  pattern: string,
  from: Scope,
  into: Scope,
  signal: AbortSignal,
): AsyncGenerator<WantedKey<string>> {
  const matches = compileGlob(pattern);
  for (const stored of from.patterns(pattern)) {
    for await (const key of tier.keys(stored, signal)) {
      const given = from.given(key);
      if (given === undefined || !matches(given)) continue;
      yield { item: given, given, stored: into.key(given) };
    }
  }
}

/**
 * The tier whose keys are listed.
 *
 * @throws {TypeError} when there is none of that name, or it cannot list its keys.
 */
export function listingTier(tiers: readonly Tier[], name: string | undefined): Tier {
  const tier = name === undefined
    ? tiers.findLast((candidate) => candidate.listsKeys)
    : tiers.find((candidate) => candidate.name === name);
  if (tier === undefined) {
    throw new TypeError(
      name === undefined
        ? "Cannot warm: no tier can list its keys: give a list of keys"
        : `Cannot warm: no tier is named "${name}": there are ${
          tiers.map((each) => `"${each.name}"`).join(", ")
        }`,
    );
  }
  if (!tier.listsKeys) {
    throw new TypeError(`Cannot warm: tier "${tier.name}" cannot list its keys`);
  }
  return tier;
}

function keyOf(item: unknown): string {
  const key = typeof item === "object" && item !== null ? (item as Partial<WarmEntry>).key : item;
  if (typeof key === "string") return key;
  throw new TypeError(
    `Cannot warm: the source must give keys, or objects with a 'key': it gave ${show(item)}`,
  );
}

function byPriority<I>(items: readonly I[], priority: (item: I) => number): I[] {
  const ranks = new Map(items.map((item) => [item, priority(item)]));
  return items.toSorted((a, b) => ranks.get(b)! - ranks.get(a)!);
}
