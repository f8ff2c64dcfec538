import type { NameScan, ObjectNames } from "./object_names.ts";
import type { ObjectInfo, ObjectPage, ObjectStore } from "./object_store.ts";
import type { Records } from "./records.ts";
import type { Requests } from "./requests.ts";

/** What walking needs. */
export interface WalkParts {
  /** The store. */
  readonly store: ObjectStore;
  /** Names of objects. */
  readonly names: ObjectNames;
  /** Sends requests. */
  readonly requests: Requests;
  /** Reads the keys that names do not tell. */
  readonly records: Records;
}

/** An entry's object in a listing. */
export interface ListedEntry {
  /** The name of the object. */
  readonly name: string;
  /** The key of the entry. */
  readonly key: string;
  /** What is known of it, where the store lists metadata too. */
  readonly info: ObjectInfo | undefined;
}

/** Prefixes that are listed at once. */
const PARALLEL_PREFIXES = 8;

/** Lists the entries that a scan is for, by pages, while the page before is worked on. */
export async function* walkEntries(
  parts: WalkParts,
  { prefixes, matches }: NameScan,
  signal: AbortSignal | undefined,
): AsyncGenerator<ListedEntry[]> {
  const pages = merged(
    prefixes.map((prefix) => () => walkPages(parts, prefix, signal)),
    PARALLEL_PREFIXES,
  );
  for await (const { objects } of pages) {
    const found = await Promise.all(objects.map(async ({ name, info }) => {
      const named = parts.names.key(name);
      const key = typeof named === "object" ? await parts.records.key(name, signal) : named;
      return key !== undefined && matches(key) ? { name, key, info } : undefined;
    }));
    yield found.filter((entry) => entry !== undefined);
  }
}

/** Lists the objects whose names begin with a text, by pages; the next is on its way while one is worked on. */
export async function* walkPages(
  { store, requests }: Pick<WalkParts, "store" | "requests">,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectPage> {
  const fetchPage = (cursor: string | undefined): Promise<ObjectPage> =>
    requests.read(
      signal,
      (own) => store.list(prefix, { signal: own, cursor, limit: store.maxPage }),
    );
  let next: Promise<ObjectPage> | undefined = fetchPage(undefined);
  while (next !== undefined) {
    const page: ObjectPage = await next;
    next = page.cursor === undefined ? undefined : fetchPage(page.cursor);
    // Whoever walks may stop before it is asked for.
    next?.catch(() => {});
    yield page;
  }
}

/** What several sources give, one page of each of a few at a time. */
async function* merged<T>(
  sources: readonly (() => AsyncGenerator<T>)[],
  width: number,
): AsyncGenerator<T> {
  for (let at = 0; at < sources.length; at += width) {
    let open = sources.slice(at, at + width).map((begin) => begin());
    while (open.length > 0) {
      const steps = await Promise.all(open.map((source) => source.next()));
      open = open.filter((_, index) => steps[index]?.done !== true);
      for (const step of steps) if (step.done !== true) yield step.value;
    }
  }
}
