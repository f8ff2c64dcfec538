import type { CacheEntry } from "../../src/entry/entry.ts";
import { compileGlob } from "../../src/glob.ts";
import type { BackendStats, CacheBackend, Clock } from "../../src/types.ts";

/** Methods of a {@linkcode SyncBackend} that can be made to fail. */
export type SyncMethod =
  | "getSync"
  | "peek"
  | "get"
  | "set"
  | "delete"
  | "exists"
  | "clear"
  | "getStats"
  | "close";

/** A store inside the process that answers at once, without limits. */
export class SyncBackend implements CacheBackend {
  readonly name: string;
  /** What it holds, to look at and to change behind the cache's back. */
  readonly entries: Map<string, CacheEntry> = new Map();
  /** Methods that throw what they are mapped to. */
  readonly faults: Map<SyncMethod, unknown> = new Map();
  /** Reads so far. */
  reads = 0;
  readonly #clock: Clock;

  constructor(clock: Clock, name = "sync") {
    this.#clock = clock;
    this.name = name;
  }

  getSync(key: string): CacheEntry | undefined {
    this.#fail("getSync");
    this.reads++;
    return this.#live(key);
  }

  peek(key: string): CacheEntry | undefined {
    this.#fail("peek");
    return this.#live(key);
  }

  get(key: string): Promise<CacheEntry | undefined> {
    this.#fail("get");
    return Promise.resolve(this.#live(key));
  }

  set(key: string, entry: CacheEntry): Promise<boolean> {
    this.#fail("set");
    this.entries.set(key, entry);
    return Promise.resolve(true);
  }

  delete(key: string): Promise<boolean> {
    this.#fail("delete");
    const wasLive = this.#live(key) !== undefined;
    this.entries.delete(key);
    return Promise.resolve(wasLive);
  }

  exists(key: string): Promise<boolean> {
    this.#fail("exists");
    return Promise.resolve(this.#live(key) !== undefined);
  }

  clear(pattern = "*"): Promise<number> {
    this.#fail("clear");
    const doomed = [...this.entries.keys()].filter(compileGlob(pattern));
    for (const key of doomed) this.entries.delete(key);
    return Promise.resolve(doomed.length);
  }

  getStats(): Promise<BackendStats> {
    this.#fail("getStats");
    return Promise.resolve({ entries: this.entries.size });
  }

  close(): Promise<void> {
    this.#fail("close");
    return Promise.resolve();
  }

  #fail(method: SyncMethod): void {
    if (this.faults.has(method)) throw this.faults.get(method);
  }

  #live(key: string): CacheEntry | undefined {
    const entry = this.entries.get(key);
    return entry !== undefined && entry.expiresAt > this.#clock.now() ? entry : undefined;
  }
}
