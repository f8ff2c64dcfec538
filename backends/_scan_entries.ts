import type { StoredNames } from "./_stored_key.ts";

/** How the entries of a prefix are found. */
export interface EntryScan {
  /** Names on the server. */
  readonly names: StoredNames;
  /** Which keys are wanted, `undefined` for all. */
  readonly pattern: string | undefined;
  /** Which keys are left out although they match, `undefined` for none. */
  readonly keeps?: ((key: string) => boolean) | undefined;
  /** Walks the stored keys that begin as a pattern of the server says. The same one may come twice. */
  readonly pages: (match: string) => AsyncIterable<readonly string[]>;
}

/** A key by both its names. */
interface OwnKey {
  /** As the cache knows it. */
  readonly key: string;
  /** As the server knows it. */
  readonly stored: string;
}

/**
 * Removes what is found.
 *
 * @param remove removes stored keys. @returns how many held a live entry.
 * @returns the sum of that.
 */
export async function clearEntries(
  scan: EntryScan,
  remove: (stored: readonly string[]) => Promise<number>,
): Promise<number> {
  let removed = 0;
  for await (const page of ownPages(scan)) {
    if (page.length > 0) removed += await remove(page.map(({ stored }) => stored));
  }
  return removed;
}

/**
 * Lists the keys of live entries, each once.
 *
 * @param liveness tells of stored keys whether they hold a live entry.
 */
export async function* liveKeys(
  scan: EntryScan,
  liveness: (stored: readonly string[]) => Promise<readonly boolean[]>,
): AsyncGenerator<string> {
  const seen = new Set<string>();
  for await (const page of ownPages(scan)) {
    const found = page.filter(({ stored }) => !seen.has(stored));
    for (const { stored } of found) seen.add(stored);
    const live = await liveness(found.map(({ stored }) => stored));
    for (const [at, { key }] of found.entries()) if (live[at] === true) yield key;
  }
}

/** Those of the stored keys that are entries' and match. */
async function* ownPages({ names, pattern, keeps, pages }: EntryScan): AsyncGenerator<OwnKey[]> {
  const { match, matches } = names.scan(pattern, keeps);
  for await (const page of pages(match)) {
    const own: OwnKey[] = [];
    for (const stored of page) {
      const key = names.key(stored);
      if (key !== undefined && matches(key)) own.push({ key, stored });
    }
    yield own;
  }
}
