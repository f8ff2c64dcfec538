import type { CacheEntry } from "../../src/entry/entry.ts";
import type { CacheBackend, OperationOptions, VersionedOutcome } from "../../src/types.ts";
import type { Conditions } from "./conditions.ts";
import type { ConditionsOfStore } from "./conditions_of_store.ts";
import type { KeyFailure } from "./clear_entries.ts";
import type { ObjectNames } from "./object_names.ts";
import type { ObjectVersionedWrites } from "./object_versioned_writes.ts";
import { settleAll } from "./settle_all.ts";

/** What versioned methods need. */
export interface VersionedMethodsParts {
  /** Compares and writes. */
  readonly versioned: ObjectVersionedWrites;
  /** Finds out how the store's conditions are used. */
  readonly conditions: ConditionsOfStore;
  /** Names of objects. */
  readonly names: ObjectNames;
  /** Writes where there are no conditions. */
  readonly plain: Required<Pick<CacheBackend, "setMany" | "deleteMany">>;
  /** Runs what finds out. */
  readonly find: (
    verb: string,
    options: OperationOptions | undefined,
    operate: () => Promise<Conditions | undefined>,
  ) => Promise<Conditions | undefined>;
  /** Runs what changes a key, after what came before it. */
  readonly write: <T>(
    verb: string,
    key: string,
    options: OperationOptions | undefined,
    operate: (signal: AbortSignal | undefined) => Promise<T>,
  ) => Promise<T>;
  /** Throws for those for which it failed. */
  readonly fail: (verb: string, failures: readonly KeyFailure[]) => void;
}

/** The methods of a backend that compare versions. */
export interface VersionedMethods {
  /** Stores what is newer than what is there. */
  readonly setNewest: NonNullable<CacheBackend["setNewest"]>;
  /** Removes what is not newer. */
  readonly deleteUpTo: NonNullable<CacheBackend["deleteUpTo"]>;
}

/** Makes the methods that compare versions; where the store turns out to have no conditions, the last write wins. */
export function versionedMethods(parts: VersionedMethodsParts): VersionedMethods {
  const { versioned, conditions, names, plain, find, write, fail } = parts;
  const found = (
    verb: string,
    options: OperationOptions | undefined,
  ): Promise<Conditions | undefined> => find(verb, options, () => conditions.find(options?.signal));
  return {
    async setNewest(
      entries: readonly CacheEntry[],
      options?: OperationOptions,
    ): Promise<VersionedOutcome[]> {
      const verb = "write to";
      const known = await found(verb, options);
      if (known === undefined) {
        return (await plain.setMany(entries, options)).map(() => "stored");
      }
      const { values, failed } = await settleAll(
        entries,
        (entry) =>
          write(
            verb,
            entry.key,
            options,
            async (signal) =>
              await versioned.set(await names.entry(entry.key), entry, known, signal),
          ),
        options?.signal,
      );
      fail(verb, failed.map(({ item, error }) => ({ key: item.key, error })));
      return entries.map((entry) => values.get(entry) as VersionedOutcome);
    },
    async deleteUpTo(
      keys: readonly string[],
      version: number,
      options?: OperationOptions,
    ): Promise<number> {
      const verb = "delete from";
      const known = await found(verb, options);
      if (known === undefined) return await plain.deleteMany(keys, options);
      const { values, failed } = await settleAll(
        [...new Set(keys)],
        (key) =>
          write(
            verb,
            key,
            options,
            async (signal) =>
              await versioned.delete(await names.entry(key), key, version, known, signal),
          ),
        options?.signal,
      );
      fail(verb, failed.map(({ item, error }) => ({ key: item, error })));
      return [...values.values()].filter(Boolean).length;
    },
  };
}
