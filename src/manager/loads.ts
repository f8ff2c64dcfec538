import { CacheError } from "../errors.ts";
import { BatchLoad } from "./batch_load.ts";
import type { Loader, ManyLoader } from "./cache.ts";
import { SingleFlight } from "./single_flight.ts";
import type { TierStack } from "./tier_stack.ts";

/** How what a loader makes is stored. */
export interface LoadStorage {
  /** In milliseconds. */
  readonly ttl: number;
  /** As the tiers know them. */
  readonly tags: readonly string[];
}

/** A key by both its names. */
export interface NamedKey {
  /** As the caller gave it. */
  readonly given: string;
  /** As the tiers know it. */
  readonly stored: string;
}

/** Reads through the tiers to a loader: one load at a time for each key. */
export class Loads {
  readonly #stack: TierStack;
  readonly #flights = new SingleFlight<unknown>();

  constructor(stack: TierStack) {
    this.#stack = stack;
  }

  /** Reads one key, or loads and stores it. */
  getOrSet<T>(
    key: NamedKey,
    loader: Loader<T>,
    storage: LoadStorage,
    signal?: AbortSignal,
  ): Promise<unknown> {
    return this.#flights.run(key.stored, async (abandoned) => {
      const cached = await this.#stack.get(key.stored, abandoned);
      if (cached !== undefined) return cached;
      const loaded = await this.#load(
        [key],
        async () => [await loader({ signal: abandoned, key: key.given })],
        storage,
      );
      return loaded.get(key.stored);
    }, signal);
  }

  /**
   * Reads different keys, and loads and stores in one call those that no tier
   * has and nobody else is loading.
   *
   * @returns values by the keys that the tiers know.
   */
  async getOrSetMany<T>(
    keys: readonly NamedKey[],
    loadMissing: ManyLoader<T>,
    storage: LoadStorage,
    signal?: AbortSignal,
  ): Promise<Map<string, unknown>> {
    const values = await this.#stack.getMany(keys.map((key) => key.stored), signal);
    const missing = new Map<string, NamedKey>();
    for (const key of keys) {
      if (!values.has(key.stored)) missing.set(key.stored, key);
    }
    const batch = new BatchLoad<unknown>((stored, abandoned) =>
      this.#loadBatch(stored.map((key) => missing.get(key)!), loadMissing, storage, abandoned)
    );
    await Promise.all([...missing.keys()].map(async (key) => {
      const value = await this.#flights.run(
        key,
        (abandoned) => batch.load(key, abandoned),
        signal,
      );
      values.set(key, value);
    }));
    return values;
  }

  async #loadBatch<T>(
    keys: readonly NamedKey[],
    loadMissing: ManyLoader<T>,
    storage: LoadStorage,
    abandoned: AbortSignal,
  ): Promise<Map<string, unknown>> {
    const values = new Map<string, unknown>();
    // Another caller's load may have ended between the look-up and this turn.
    for (const { stored } of keys) {
      const value = this.#stack.getFast(stored)?.value();
      if (value !== undefined) values.set(stored, value);
    }
    const missing = keys.filter(({ stored }) => !values.has(stored));
    if (missing.length === 0) return values;
    const loaded = await this.#load(
      missing,
      () => loadMissing(missing.map((key) => key.given), { signal: abandoned }),
      storage,
    );
    for (const [key, value] of loaded) values.set(key, value);
    return values;
  }

  /** Calls a loader for keys and stores what it makes, except where a key was written or deleted meanwhile. */
  async #load(
    keys: readonly NamedKey[],
    load: () => readonly unknown[] | Promise<readonly unknown[]>,
    { ttl, tags }: LoadStorage,
  ): Promise<Map<string, unknown>> {
    const tickets = keys.map((key) => this.#stack.fences.open(key.stored));
    const version = this.#stack.stamp();
    try {
      const loaded = await this.#counted(keys, load);
      const values = new Map(keys.map((key, at) => [key.stored, loaded[at]]));
      const { entries } = await this.#stack.setMany(
        keys
          .map(({ stored }) => ({ key: stored, value: values.get(stored), ttl, tags, version }))
          .filter(({ value }, at) => value !== undefined && tickets[at]!.isValid),
      );
      // The copy that was stored: the loader may reuse its own.
      for (const entry of entries) values.set(entry.key, entry.value());
      return values;
    } finally {
      for (const ticket of tickets) ticket.close();
    }
  }

  async #counted(
    keys: readonly NamedKey[],
    load: () => readonly unknown[] | Promise<readonly unknown[]>,
  ): Promise<readonly unknown[]> {
    try {
      const loaded = await load();
      if (!Array.isArray(loaded) || loaded.length !== keys.length) {
        throw new CacheError(
          "invalid-result",
          `Cannot store loaded values: loader must return an array of ${keys.length}: it returned ${
            Array.isArray(loaded) ? `one of ${loaded.length}` : typeof loaded
          }`,
        );
      }
      for (const key of keys) this.#stack.loaded(key.stored);
      return loaded;
    } catch (reason) {
      for (const key of keys) this.#stack.loaded(key.stored, { reason });
      throw reason;
    }
  }
}
