import type { StoredNames } from "./_stored_key.ts";

/** A key by both its names. */
export interface OwnKey {
  /** As the cache knows it. */
  readonly key: string;
  /** As the server knows it. */
  readonly stored: string;
}

/** Those of the stored keys of a page that are entries' and match. */
export function ownKeys(
  page: readonly string[],
  names: StoredNames,
  matches: (key: string) => boolean,
): OwnKey[] {
  const own: OwnKey[] = [];
  for (const stored of page) {
    const key = names.key(stored);
    if (key !== undefined && matches(key)) own.push({ key, stored });
  }
  return own;
}
