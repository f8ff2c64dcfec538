import type { ObjectNames } from "./object_names.ts";
import type { ObjectStore } from "./object_store.ts";
import type { Requests } from "./requests.ts";
import { StoreError } from "./store_error.ts";

/** How a store's conditions are used. */
export interface Conditions {
  /** What the store takes as the tag of an object whose tag it told. */
  readonly tag: (tag: string) => string;
  /** Whether deletions honour them too. */
  readonly onDelete: boolean;
}

const AS_TOLD = (tag: string): string => tag;

/** Some gateways compare with the bare ETag, and never with the quoted one that they hand out. */
const BARE = (tag: string): string => tag.replace(/^"(.*)"$/, "$1");

const FIRST = new TextEncoder().encode("strata probe 1");
const SECOND = new TextEncoder().encode("strata probe 2");
const THIRD = new TextEncoder().encode("strata probe 3");
const NO_TAG = '"00000000000000000000000000000000"';

/** What finding out needs. */
export interface ConditionsProbeParts {
  /** The store. */
  readonly store: ObjectStore;
  /** Names of objects. */
  readonly names: ObjectNames;
  /** Sends requests. */
  readonly requests: Requests;
}

/**
 * Finds out whether a store honours conditions, by what it does with a small
 * object of its own and not by its name.
 *
 * @returns `undefined` when it does not.
 */
export async function probeConditions(
  { store, names, requests }: ConditionsProbeParts,
  signal: AbortSignal | undefined,
): Promise<Conditions | undefined> {
  const name = names.probe();
  const put = (bytes: Uint8Array, condition: "absent" | { tag: string }) =>
    requests.write(
      signal,
      (own) => store.put(name, bytes, { signal: own, metadata: "probe", condition }),
    );
  try {
    const first = await put(FIRST, "absent");
    // The first attempt may have come through though its answer was lost.
    const told = first === "conflict"
      ? (await requests.read(signal, (own) => store.head(name, { signal: own })))?.tag
      : first;
    if (told === undefined) return undefined;
    if (await put(SECOND, "absent") !== "conflict") return undefined;
    if (await put(SECOND, { tag: NO_TAG }) !== "conflict") return undefined;
    for (const tag of [AS_TOLD, BARE]) {
      if (await put(THIRD, { tag: tag(told) }) === "conflict") continue;
      const deleted = await requests.write(
        signal,
        (own) => store.delete(name, { signal: own, tag: NO_TAG }),
      );
      return { tag, onDelete: deleted === "conflict" };
    }
    return undefined;
  } catch (error) {
    const { kind } = error as StoreError;
    if (error instanceof StoreError && (kind === "unsupported" || kind === "rejected")) {
      return undefined;
    }
    throw error;
  } finally {
    // What stays after a failure is removed by `purgeExpired()`.
    await requests.write(undefined, (own) => store.delete(name, { signal: own })).catch(() => {});
  }
}
