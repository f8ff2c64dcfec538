import { show } from "../config.ts";
import { CacheError } from "../errors.ts";
import type { Placement } from "../eviction/eviction_policy.ts";
import { BatchLoad } from "./batch_load.ts";
import type { Loader, ManyLoader } from "./cache.ts";
import { freshTag } from "./freshness.ts";
import type { LoadPolicy } from "./load_policy.ts";
import { WAIT } from "./instant_reads.ts";
import type { Ticket } from "./fences.ts";
import { PatientLoads } from "./patient_loads.ts";
import { type Lead, SingleFlight } from "./single_flight.ts";
import type { TierStack } from "./tier_stack.ts";

/** How what a loader makes is stored. */
export interface LoadStorage {
  /** In milliseconds. */
  readonly ttl: number;
  /** As the tiers know them. */
  readonly tags: readonly string[];
  /** What it costs to get it again; what its load has taken, where that is measured and this not given. */
  readonly cost?: number | undefined;
  /** Its place among a tier's entries. */
  readonly placement?: Placement | undefined;
  /** How long a loader is waited for. */
  readonly policy?: LoadPolicy | undefined;
}

/** A key by both its names. */
export interface NamedKey {
  /** As the caller gave it. */
  readonly given: string;
  /** As the tiers know it. */
  readonly stored: string;
}

/** A load of one key under way. */
interface Origin {
  readonly key: NamedKey;
  readonly ticket: Ticket;
  /** When its loader was called, a stamp of {@linkcode TierStack.stamp}; `undefined` while the tiers are read. */
  version: number | undefined;
}

/** What a load costs at least that is over at once. */
const LEAST_COST_MS = 0.5;

/** Reads through the tiers to a loader: one load at a time for each key. */
export class Loads {
  readonly #stack: TierStack;
  readonly #measuresCost: boolean;
  readonly #flights = new SingleFlight<unknown>();
  readonly #patient: PatientLoads;
  /** The keys whose loader is being called at this moment. */
  #calling: readonly string[] = [];

  /** @param measuresCost whether what a load takes is the cost of what it makes. */
  constructor(stack: TierStack, measuresCost = false) {
    this.#stack = stack;
    this.#patient = new PatientLoads(stack);
    this.#measuresCost = measuresCost;
  }

  /** Reads one key, or loads and stores it. */
  async getOrSet<T>(
    key: NamedKey,
    loader: Loader<T>,
    storage: LoadStorage,
    signal?: AbortSignal,
  ): Promise<unknown> {
    const { policy, ttl } = storage;
    this.#assertOthers([key]);
    if (policy === undefined) return await this.#getOrSet(key, loader, storage, false, signal);
    const load = (until: AbortSignal | undefined, isAhead: boolean): Promise<unknown> =>
      this.#getOrSet(key, loader, storage, isAhead, until);
    const isUnderWay = (): boolean => this.#flights.isUnderWay(key.stored);
    return await this.#patient.get({ key, policy, ttl, signal, load, isUnderWay });
  }

  /** @param isAhead whether what is there is to be replaced although it is fresh. */
  async #getOrSet<T>(
    key: NamedKey,
    loader: Loader<T>,
    storage: LoadStorage,
    isAhead: boolean,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    const { stored, given } = key;
    if (this.#flights.isOutdated(stored)) {
      // Its end is waited for only by those who have to load.
      const cached = await this.#stack.get(stored, signal);
      if (cached !== undefined) return cached;
    }
    const lead = this.#lead(key, storage, async (origin, abandoned) => {
      const cached = isAhead ? undefined : await this.#stack.get(stored, abandoned);
      if (cached !== undefined) return cached;
      const call = (): T | Promise<T> =>
        this.#call([key], () => loader({ signal: abandoned, key: given }));
      const loaded = await this.#once(
        [origin],
        abandoned,
        isAhead,
        (origins) => this.#load(origins, async () => [await call()], storage),
      );
      return loaded.get(stored);
    });
    return await this.#flights.run(stored, lead, signal);
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
    this.#assertOthers(keys);
    const values = await this.#stack.getMany(keys.map((key) => key.stored), signal);
    const missing = keys.filter((key) => !values.has(key.stored));
    const loaded = await this.loadMany(missing, loadMissing, storage, signal);
    for (const [key, value] of loaded) values.set(key, value);
    return values;
  }

  /**
   * Loads and stores in one call different keys that no tier has, those left
   * out that somebody else is loading: they are waited for.
   *
   * @returns values by the keys that the tiers know.
   */
  async loadMany<T>(
    missing: readonly NamedKey[],
    loadMissing: ManyLoader<T>,
    storage: LoadStorage,
    signal?: AbortSignal,
  ): Promise<Map<string, unknown>> {
    const values = new Map<string, unknown>();
    const origins = new Map<string, Origin>();
    const batch = new BatchLoad<unknown>((stored, abandoned) =>
      this.#loadBatch(stored.map((key) => origins.get(key)!), loadMissing, storage, abandoned)
    );
    await Promise.all(missing.map(async (key) => {
      const { stored } = key;
      const lead = this.#lead(key, storage, (origin, abandoned) => {
        origins.set(stored, origin);
        return batch.load(stored, abandoned);
      });
      values.set(stored, await this.#flights.run(stored, lead, signal));
    }));
    return values;
  }

  /** Calls a loader, and knows what it asks for before it waits for anything. */
  #call<T>(keys: readonly NamedKey[], loader: () => T): T {
    const before = this.#calling;
    this.#calling = keys.map((key) => key.stored);
    try {
      return loader();
    } finally {
      this.#calling = before;
    }
  }

  /** @throws {TypeError} when one of some keys is asked for by its own loader. */
  #assertOthers(keys: readonly NamedKey[]): void {
    if (this.#calling.length === 0) return;
    const own = keys.find((key) => this.#calling.includes(key.stored));
    if (own === undefined) return;
    throw new TypeError(`Cannot load ${show(own.given)}: its own loader asks for it`);
  }

  /** What the caller of a key does when it leads: keeps a ticket as long as the load is under way. */
  #lead(
    key: NamedKey,
    { tags }: LoadStorage,
    load: (origin: Origin, abandoned: AbortSignal) => Promise<unknown>,
  ): Lead<unknown> {
    let origin: Origin | undefined;
    return {
      load: async (abandoned) => {
        const ticket = this.#stack.fences.open(key.stored);
        origin = { key, ticket, version: undefined };
        try {
          return await load(origin, abandoned);
        } finally {
          ticket.close();
        }
      },
      isOutdated: () => {
        if (origin === undefined) return false;
        const { ticket, version } = origin;
        // What is read from the tiers may be what a write under way has not reached yet.
        if (version === undefined) return !ticket.isUndisturbed;
        return !ticket.isValid || this.#stack.wasDroppedSince(tags, version);
      },
    };
  }

  async #loadBatch<T>(
    origins: readonly Origin[],
    loadMissing: ManyLoader<T>,
    storage: LoadStorage,
    abandoned: AbortSignal,
  ): Promise<Map<string, unknown>> {
    const values = new Map<string, unknown>();
    // Another caller's load may have ended between the look-up and this turn.
    for (const { key: { stored } } of origins) {
      const value = this.#stack.instant.get(stored);
      if (value !== WAIT) values.set(stored, value);
    }
    const missing = origins.filter(({ key }) => !values.has(key.stored));
    if (missing.length === 0) return values;
    const loaded = await this.#once(missing, abandoned, false, (some) => {
      const keys = some.map(({ key }) => key);
      const given = keys.map((key) => key.given);
      const call = (): ReturnType<ManyLoader<T>> =>
        this.#call(keys, () => loadMissing(given, { signal: abandoned }));
      return this.#load(some, call, storage);
    });
    for (const [key, value] of loaded) values.set(key, value);
    return values;
  }

  /**
   * Loads keys here, or has the value of the other process that loads them.
   *
   * @param isAhead whether what is there is to be replaced although it is fresh.
   */
  #once(
    origins: readonly Origin[],
    signal: AbortSignal,
    isAhead: boolean,
    load: (origins: readonly Origin[]) => Promise<Map<string, unknown>>,
  ): Promise<Map<string, unknown>> {
    const { loadLocks } = this.#stack;
    if (loadLocks === undefined) return load(origins);
    const byKey = new Map(origins.map((origin) => [origin.key.stored, origin]));
    return loadLocks.run({
      keys: [...byKey.keys()],
      look: async (keys) => isAhead ? new Map() : await this.#stack.getMany(keys, signal, true),
      load: (keys) => load(keys.map((key) => byKey.get(key)!)),
      isAhead,
      signal,
    });
  }

  /** Calls a loader for keys and stores what it makes, except where a key was written or deleted meanwhile. */
  async #load(
    origins: readonly Origin[],
    load: () => readonly unknown[] | Promise<readonly unknown[]>,
    { ttl, tags, cost, placement, policy }: LoadStorage,
  ): Promise<Map<string, unknown>> {
    const version = this.#stack.stamp();
    for (const origin of origins) {
      // Nothing has been fetched from the loader yet: what came before is no harm.
      origin.ticket.renew();
      origin.version = version;
    }
    const { clock } = this.#stack;
    const startedAt = clock.now();
    const loaded = await this.#counted(origins.map(({ key }) => key), load);
    // Each has its share of what a batch takes, and what takes less than the clock tells is not free.
    const measured = Math.max(LEAST_COST_MS, clock.now() - startedAt) / origins.length;
    const values = new Map(origins.map(({ key }, at) => [key.stored, loaded[at]]));
    const storable = origins.filter(({ key, ticket }) =>
      ticket.isValid && values.get(key.stored) !== undefined
    );
    const now = clock.now();
    const costOfEach = cost ?? (this.#measuresCost ? measured : undefined);
    const writes = storable.map(({ key: { stored } }) => {
      const value = values.get(stored);
      const life = lifeOf(value, { ttl, tags, policy }, now);
      return { key: stored, value, version, cost: costOfEach, ...life };
    });
    const storing = this.#stack.setMany(writes, undefined, placement);
    // The write of its own value does not make a load outdated.
    for (const { ticket } of storable) ticket.renew();
    // The copy that was stored: the loader may reuse its own.
    for (const entry of (await storing).entries) values.set(entry.key, entry.value());
    return values;
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

/** How long a value that was loaded is to live: past its time where it may be served stale, and by itself where there is none. */
function lifeOf(
  value: unknown,
  { ttl, tags, policy }: LoadStorage,
  now: number,
): Pick<LoadStorage, "ttl" | "tags"> {
  if (value === null && policy?.negativeTtl !== undefined) return { ttl: policy.negativeTtl, tags };
  if (policy === undefined || policy.staleFor === 0 || ttl === Infinity) return { ttl, tags };
  return { ttl: ttl + policy.staleFor, tags: [...tags, freshTag(now + ttl)] };
}
