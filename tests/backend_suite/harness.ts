import { it } from "node:test";
import { FakeClock } from "../fakes/fake_clock.ts";
import type { CacheEntry } from "../../src/entry/entry.ts";
import type { BackendContext, BackendReport, CacheBackend } from "../../src/types.ts";

/** Makes a backend that holds nothing. */
export type BackendOpener = (context: BackendContext) => CacheBackend | Promise<CacheBackend>;

/** Opens the store of a backend that has been closed once more. */
export type BackendReopener = (
  closed: CacheBackend,
  context: BackendContext,
) => CacheBackend | Promise<CacheBackend>;

/** Options of the suite. */
export interface BackendSuiteOptions {
  /** Given for stores that outlive the process: the suite checks what is there after a restart. */
  readonly reopen?: BackendReopener;
  /** Whether it has the versioned writes of stores that processes share. @default false */
  readonly keepsNewest?: boolean;
  /** Whether it has `setStream` and `getStream`. @default false */
  readonly movesStreams?: boolean;
  /** Removes what the opener made, after the backend has been closed. */
  readonly dispose?: (closed: CacheBackend) => void | Promise<void>;
}

/** What a test of the suite works with. */
export interface Fixture {
  /** The backend, empty. */
  readonly backend: CacheBackend;
  /** Its clock. */
  readonly clock: FakeClock;
  /** What it reported so far. */
  readonly reports: readonly BackendReport[];
  /** What its factory was given. */
  readonly context: BackendContext;
}

/** Defines one test with a backend of its own. */
export type SuiteTest = (name: string, body: (fixture: Fixture) => Promise<void>) => void;

/** How tests of one suite come by their backend. */
export function suiteTest(open: BackendOpener, options: BackendSuiteOptions): SuiteTest {
  return (name, body) => {
    it(name, async () => {
      const clock = new FakeClock();
      const reports: BackendReport[] = [];
      const context: BackendContext = { clock, report: (report) => void reports.push(report) };
      const backend = await open(context);
      try {
        await body({ backend, clock, reports, context });
      } finally {
        await backend.close?.();
        await options.dispose?.(backend);
      }
    });
  };
}

/** The value under a key, `undefined` for a miss. */
export async function valueOf(backend: CacheBackend, key: string): Promise<unknown> {
  return await (await backend.get(key))?.value();
}

/** Those of some keys that are live: as the backend lists them, or as it says one by one. */
export async function liveKeys(
  backend: CacheBackend,
  candidates: readonly string[],
  pattern?: string,
): Promise<string[]> {
  const live: string[] = [];
  if (backend.keys !== undefined) {
    for await (const key of backend.keys(pattern)) live.push(key);
  } else {
    for (const key of candidates) if (await backend.exists(key)) live.push(key);
  }
  return live.sort();
}

/** Reads many, in one call where the backend can. */
export async function getMany(
  backend: CacheBackend,
  keys: readonly string[],
): Promise<(CacheEntry | undefined)[]> {
  return backend.getMany === undefined
    ? await Promise.all(keys.map((key) => backend.get(key)))
    : await backend.getMany(keys);
}

/** Stores many, in one call where the backend can. */
export async function setMany(
  backend: CacheBackend,
  entries: readonly CacheEntry[],
): Promise<boolean[]> {
  if (backend.setMany !== undefined) return await backend.setMany(entries);
  const outcomes: boolean[] = [];
  for (const entry of entries) outcomes.push(await backend.set(entry.key, entry));
  return outcomes;
}

/** Removes many, in one call where the backend can. */
export async function deleteMany(
  backend: CacheBackend,
  keys: readonly string[],
): Promise<number> {
  if (backend.deleteMany !== undefined) return await backend.deleteMany(keys);
  let count = 0;
  for (const key of keys) if (await backend.delete(key)) count++;
  return count;
}
