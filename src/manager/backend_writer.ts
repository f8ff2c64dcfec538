import type { CacheEntry } from "../entry/entry.ts";
import { CacheError } from "../errors.ts";
import type {
  BackendSetOptions,
  CacheBackend,
  ClearOptions,
  OperationOptions,
  VersionedOutcome,
} from "../types.ts";

/** Keys that are removed in one request. */
const ERASE_BATCH = 500;

/** Writes to a backend, be it one that compares versions or not. */
export class BackendWriter {
  readonly #backend: CacheBackend;
  /** Whether many entries are stored in one request. */
  readonly storesMany: boolean;
  /** Whether many entries are removed in one request. */
  readonly erasesMany: boolean;

  constructor(backend: CacheBackend) {
    this.#backend = backend;
    this.storesMany = (backend.setNewest ?? backend.setMany) !== undefined;
    this.erasesMany = (backend.deleteUpTo ?? backend.deleteMany) !== undefined;
  }

  /** Stores one entry. */
  async store(entry: CacheEntry, options: BackendSetOptions): Promise<VersionedOutcome> {
    const backend = this.#backend;
    if (backend.setNewest !== undefined) {
      return ofLength(backend, 1, await backend.setNewest([entry], options), "outcomes")[0]!;
    }
    return await backend.set(entry.key, entry, options) ? "stored" : "declined";
  }

  /** Stores many entries of different keys: only where it {@linkcode BackendWriter.storesMany}. */
  async storeMany(
    entries: readonly CacheEntry[],
    options: BackendSetOptions,
  ): Promise<VersionedOutcome[]> {
    const backend = this.#backend;
    const { length } = entries;
    if (backend.setNewest !== undefined) {
      return ofLength(backend, length, await backend.setNewest(entries, options), "outcomes");
    }
    const stored = ofLength(backend, length, await backend.setMany!(entries, options), "outcomes");
    return stored.map((isStored) => isStored ? "stored" : "declined");
  }

  /** Removes one entry, unless the backend knows that it is newer than a version. */
  async erase(key: string, version: number, options: OperationOptions): Promise<boolean> {
    const backend = this.#backend;
    return backend.deleteUpTo === undefined
      ? await backend.delete(key, options)
      : await backend.deleteUpTo([key], version, options) === 1;
  }

  /** Removes many entries: only where it {@linkcode BackendWriter.erasesMany}. */
  eraseMany(
    keys: readonly string[],
    version: number,
    options: OperationOptions,
  ): Promise<number> {
    const backend = this.#backend;
    return backend.deleteUpTo === undefined
      ? backend.deleteMany!(keys, options)
      : backend.deleteUpTo(keys, version, options);
  }

  /** Removes what matches, except what is newer than a version where the backend can tell. @returns how many. */
  async eraseMatching(
    pattern: string | undefined,
    version: number,
    options: ClearOptions,
  ): Promise<number> {
    const backend = this.#backend;
    if (backend.deleteUpTo === undefined || backend.keys === undefined) {
      return await backend.clear(pattern, options);
    }
    let removed = 0;
    let batch: string[] = [];
    for await (const key of backend.keys(pattern, options)) {
      if (options.keeps?.(key)) continue;
      batch.push(key);
      if (batch.length < ERASE_BATCH) continue;
      removed += await backend.deleteUpTo(batch, version, options);
      batch = [];
    }
    return batch.length === 0
      ? removed
      : removed + await backend.deleteUpTo(batch, version, options);
  }

  /** Removes one entry unless it is newer than a version. @returns whether it did. */
  async eraseOlder(key: string, version: number, options: OperationOptions): Promise<boolean> {
    const backend = this.#backend;
    if (backend.deleteUpTo === undefined) {
      const held = backend.peek === undefined ? await backend.get(key, options) : backend.peek(key);
      if (!held || held.version > version) return false;
    }
    return await this.erase(key, version, options);
  }
}

/**
 * The answer of a backend about several keys.
 *
 * @throws {CacheError} `"backend"` when it is not of their number.
 */
export function ofLength<T>(
  { name }: CacheBackend,
  length: number,
  answer: readonly T[],
  what: string,
): T[] {
  if (Array.isArray(answer) && answer.length === length) return answer;
  throw new CacheError(
    "backend",
    `Cannot use answer of tier "${name}": it has ${
      Array.isArray(answer) ? answer.length : "no"
    } ${what} for ${length} keys`,
    { backend: name },
  );
}
