import { CacheError } from "../../src/errors.ts";
import { compileGlob } from "../../src/glob.ts";
import type { CacheEntry } from "../../src/entry/entry.ts";
import type { BackendStats, CacheBackend, Clock, OperationOptions } from "../../src/types.ts";

/** The least that is a whole backend: a `Map`, no limits. */
export class MapBackend implements CacheBackend {
  readonly name: string;
  readonly #clock: Clock;
  readonly #entries = new Map<string, CacheEntry>();
  #closed = false;

  constructor(clock: Clock, name = "map") {
    this.#clock = clock;
    this.name = name;
  }

  async get(key: string, options?: OperationOptions): Promise<CacheEntry | undefined> {
    await this.#begin(options);
    return this.#live(key);
  }

  async set(key: string, entry: CacheEntry, options?: OperationOptions): Promise<boolean> {
    await this.#begin(options);
    this.#entries.set(key, entry);
    return true;
  }

  async delete(key: string, options?: OperationOptions): Promise<boolean> {
    await this.#begin(options);
    const wasLive = this.#live(key) !== undefined;
    this.#entries.delete(key);
    return wasLive;
  }

  async exists(key: string, options?: OperationOptions): Promise<boolean> {
    await this.#begin(options);
    return this.#live(key) !== undefined;
  }

  async clear(pattern = "*", options?: OperationOptions): Promise<number> {
    await this.#begin(options);
    const matches = compileGlob(pattern);
    let count = 0;
    for (const key of [...this.#entries.keys()].filter(matches)) {
      if (this.#live(key) !== undefined) count++;
      this.#entries.delete(key);
    }
    return count;
  }

  async getStats(): Promise<BackendStats> {
    await this.#begin();
    return { entries: this.#entries.size };
  }

  async *keys(pattern = "*", options?: OperationOptions): AsyncIterable<string> {
    await this.#begin(options);
    const matches = compileGlob(pattern);
    for (const key of [...this.#entries.keys()].filter(matches)) {
      if (this.#live(key) !== undefined) yield key;
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#entries.clear();
    return Promise.resolve();
  }

  #begin(options?: OperationOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    if (this.#closed) {
      throw new CacheError("closed", `Cannot use backend ${this.name}: it is closed`);
    }
    return Promise.resolve();
  }

  #live(key: string): CacheEntry | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.expiresAt > this.#clock.now() ? entry : undefined;
  }
}
