import { setImmediate, setTimeout } from "node:timers/promises";
import type { CacheEntry } from "../../src/entry/entry.ts";
import type { BackendStats, CacheBackend, OperationOptions } from "../../src/types.ts";
import type { Draws } from "./random.ts";

/** How long a storage takes to answer, on top of what the backend under it takes. */
export interface DelayProfile {
  readonly name: string;
  /** In milliseconds. */
  readonly median: number;
  /** How many times the median its 99th percentile is. */
  readonly timesAtP99: number;
}

/** What is usual, from what providers and users publish. */
export const PROFILES = {
  disk: { name: "local disk", median: 0.1, timesAtP99: 8 },
  redis: { name: "Redis in the same zone", median: 0.5, timesAtP99: 5 },
  objects: { name: "object store", median: 15, timesAtP99: 6 },
} as const satisfies Record<string, DelayProfile>;

/** What the storage is up to. */
export type Mood = "well" | "slow" | "down" | "hanging";

/** Timers keep to whole milliseconds; less is waited for by turns of the event loop. */
const LEAST_TIMER_MS = 2;

/** How many times as long a slow storage takes. */
const SLOWNESS = 8;

/** More than any bench takes. */
const FOREVER_MS = 1e9;

/** A backend whose storage is farther away than it really is, and can fail. */
export class DelayedBackend implements CacheBackend {
  readonly name: string;
  /** Set by the scenario. */
  mood: Mood = "well";
  readonly #inner: CacheBackend;
  readonly #profile: DelayProfile;
  readonly #draws: Draws;

  constructor(inner: CacheBackend, profile: DelayProfile, draws: Draws) {
    this.name = profile.name;
    this.#inner = inner;
    this.#profile = profile;
    this.#draws = draws;
  }

  async get(key: string, options?: OperationOptions): Promise<CacheEntry | undefined> {
    await this.#travel(options);
    return await this.#inner.get(key, options);
  }

  async set(key: string, entry: CacheEntry, options?: OperationOptions): Promise<boolean> {
    await this.#travel(options);
    return await this.#inner.set(key, entry, options);
  }

  async delete(key: string, options?: OperationOptions): Promise<boolean> {
    await this.#travel(options);
    return await this.#inner.delete(key, options);
  }

  async exists(key: string, options?: OperationOptions): Promise<boolean> {
    await this.#travel(options);
    return await this.#inner.exists(key, options);
  }

  async clear(pattern?: string, options?: OperationOptions): Promise<number> {
    await this.#travel(options);
    return await this.#inner.clear(pattern, options);
  }

  getStats(): Promise<BackendStats> {
    return this.#inner.getStats();
  }

  async close(): Promise<void> {
    await this.#inner.close?.();
  }

  async #travel(options: OperationOptions | undefined): Promise<void> {
    if (this.mood === "hanging") await untilAborted(options?.signal);
    const { median, timesAtP99 } = this.#profile;
    const delay = this.#draws.logNormal(median, timesAtP99) * (this.mood === "slow" ? SLOWNESS : 1);
    const end = performance.now() + delay;
    if (delay >= LEAST_TIMER_MS) await setTimeout(delay);
    while (performance.now() < end) await setImmediate();
    if (this.mood === "down") throw new Error(`${this.name} is down`);
  }
}

/** Like a connection that does not answer, it keeps the process alive. */
async function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  await setTimeout(FOREVER_MS, undefined, { signal }).catch(() => {});
  throw signal?.reason ?? new Error("Cannot wait any longer");
}
