import { FRAME_HEADER_BYTES } from "../../src/entry/frame.ts";
import { CacheError, isCacheError } from "../../src/errors.ts";
import { keyPlaceOf, standingOfFrame } from "./frame_start.ts";
import type { KnownObjects } from "./known_objects.ts";
import { parseStanding, type Standing } from "./object_metadata.ts";
import type { ObjectNames } from "./object_names.ts";
import type { ObjectInfo, ObjectRange, ObjectStore, StoredObject } from "./object_store.ts";
import type { Requests } from "./requests.ts";
import { StoreError } from "./store_error.ts";

/** What records are read with. */
export interface RecordsParts {
  /** The store. */
  readonly store: ObjectStore;
  /** Names of objects. */
  readonly names: ObjectNames;
  /** Sends requests. */
  readonly requests: Requests;
  /** Forgets what is removed, so that a write that follows does not name it. */
  readonly known: KnownObjects;
}

/** An object that is there. */
export interface FoundRecord {
  /** What the store tells. */
  readonly info: ObjectInfo;
  /** What it says of its entry; `undefined` where it is no record of ours. */
  readonly standing: Standing | undefined;
}

/** Reads and removes objects as records of entries. */
export class Records {
  readonly #store: ObjectStore;
  readonly #names: ObjectNames;
  readonly #requests: Requests;
  readonly #known: KnownObjects;

  constructor({ store, names, requests, known }: RecordsParts) {
    this.#store = store;
    this.#names = names;
    this.#requests = requests;
    this.#known = known;
  }

  /** Reads an object or a part of it. */
  read(
    name: string,
    signal: AbortSignal | undefined,
    range?: ObjectRange,
  ): Promise<StoredObject | undefined> {
    return this.#requests.read(signal, (own) => this.#store.get(name, { signal: own, range }));
  }

  /** What the store tells of an object without its bytes. */
  head(name: string, signal: AbortSignal | undefined): Promise<ObjectInfo | undefined> {
    return this.#requests.read(signal, (own) => this.#store.head(name, { signal: own }));
  }

  /** Looks at an object without its bytes. */
  async look(name: string, signal: AbortSignal | undefined): Promise<FoundRecord | undefined> {
    const info = await this.head(name, signal);
    return info === undefined ? undefined : await this.found(name, info, signal);
  }

  /** What an object says of its entry; where a proxy has taken that away, its first bytes do. */
  async found(
    name: string,
    info: ObjectInfo,
    signal: AbortSignal | undefined,
  ): Promise<FoundRecord | undefined> {
    const standing = parseStanding(info.metadata);
    if (standing !== undefined) return { info, standing };
    if (info.size < FRAME_HEADER_BYTES) return { info, standing: undefined };
    const start = await this.read(name, signal, { offset: 0, length: FRAME_HEADER_BYTES });
    return start === undefined ? undefined : { info: start, standing: standingOf(start.bytes) };
  }

  /** The key of an object whose name does not tell it, `undefined` when it is none of ours. */
  async key(name: string, signal: AbortSignal | undefined): Promise<string | undefined> {
    const start = await this.read(name, signal, { offset: 0, length: FRAME_HEADER_BYTES });
    if (start === undefined) return undefined;
    try {
      const { offset, length, read } = keyPlaceOf(start.bytes);
      const part = await this.read(name, signal, { offset, length });
      if (part?.bytes.length !== length) return undefined;
      const key = read(part.bytes);
      return await this.#names.entry(key) === name ? key : undefined;
    } catch (error) {
      if (!isCacheError(error, "corrupt") && !isCacheError(error, "unsupported-format")) {
        throw error;
      }
      return undefined;
    }
  }

  /** Removes an object. @returns whether it was not another by then. */
  async remove(name: string, signal: AbortSignal | undefined, tag?: string): Promise<boolean> {
    const removed = await this.#requests.write(
      signal,
      (own) => this.#store.delete(name, { signal: own, tag }),
    );
    this.#known.take(name);
    return removed === "deleted";
  }

  /**
   * Removes objects in as few requests as the store allows.
   *
   * @returns those that it could not remove, with the reason.
   * @throws when it could remove none for a reason that is common to all.
   */
  async removeMany(
    names: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<ReadonlyMap<string, Error>> {
    const failed = new Map<string, Error>();
    for (const name of names) this.#known.take(name);
    let left = names;
    try {
      await this.#requests.write(signal, async (own) => {
        const refused = await this.#store.deleteMany(left, { signal: own });
        const again = [...refused].filter(([, error]) => isRetryable(error));
        for (const [name, error] of refused) if (!isRetryable(error)) failed.set(name, error);
        left = again.map(([name]) => name);
        if (again.length > 0) throw again[0]![1];
      });
    } catch (error) {
      if (left.length === names.length || !(error instanceof StoreError)) throw error;
      for (const name of left) failed.set(name, error);
    }
    return failed;
  }
}

function isRetryable(error: Error): boolean {
  return error instanceof StoreError && error.isRetryable;
}

function standingOf(bytes: Uint8Array): Standing | undefined {
  try {
    return standingOfFrame(bytes);
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    return undefined;
  }
}
