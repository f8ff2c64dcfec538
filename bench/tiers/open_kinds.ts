import { note } from "../suite/record.ts";
import type { OpenTierKind, Store, TierKind } from "./store.ts";

/** A kind whose turn it is. */
export interface OpenedKind {
  readonly tier: string;
  readonly kind: TierKind;
}

/**
 * Opens one kind after another, and closes each before the next; says what is
 * missing for those that cannot be had.
 *
 * @param only parts of the names of those that are wanted; none for all.
 */
export async function* openKinds(
  kinds: Iterable<readonly [tier: string, open: OpenTierKind]>,
  only: readonly string[],
): AsyncGenerator<OpenedKind> {
  for (const [tier, open] of kinds) {
    if (only.length > 0 && !only.some((text) => tier.includes(text))) continue;
    const kind = await open();
    if ("missing" in kind) {
      note(kind.missing);
      continue;
    }
    try {
      yield { tier, kind };
    } finally {
      await kind.close();
    }
  }
}

/** Opens all stores of a kind at once, by their names, for as long as they are used. */
export async function withStores<S extends Store>(
  { sources }: TierKind,
  use: (stores: ReadonlyMap<string, S>) => Promise<void>,
): Promise<void> {
  const stores = new Map<string, S>();
  try {
    for (const { name, open } of sources) stores.set(name, await open() as S);
    await use(stores);
  } finally {
    for (const store of stores.values()) await store.close();
  }
}
