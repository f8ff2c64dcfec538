import type { InvalidationBus } from "../../../src/coordination/invalidation_bus.ts";
import type { CacheEntry } from "../../../src/entry/entry.ts";
import { CacheError } from "../../../src/errors.ts";
import { compileGlob } from "../../../src/glob.ts";
import type {
  BackendStats,
  CacheBackend,
  ClearOptions,
  Clock,
  OperationOptions,
  VersionedOutcome,
} from "../../../src/types.ts";
import { SharedStore, SteppedBackend } from "../../fakes/stepped_backend.ts";
import type { SimHistory } from "./sim_history.ts";
import type { SimLink } from "./sim_link.ts";
import type { SimTime } from "./sim_time.ts";

/** What a server does. `deaf`: it does what it is asked and answers with an error. */
export type ServerHealth = "up" | "failing" | "deaf" | "hanging";

/** The server whose store all machines share. It keeps the newest version of each key. */
export class SimServer {
  health: ServerHealth = "up";
  readonly #engine: SteppedBackend;
  readonly #store = new SharedStore();
  readonly #time: SimTime;
  readonly #random: () => number;

  constructor(time: SimTime, clock: Clock, random: () => number) {
    this.#time = time;
    this.#random = random;
    this.#engine = new SteppedBackend("server", { store: this.#store, clock, hasBatches: true });
    this.#engine.isFlowing = true;
  }

  /** The keys that it holds. */
  get keys(): string[] {
    return [...this.#store.frames.keys()];
  }

  /** Carries out one operation. */
  async serve<T>(operate: (engine: SteppedBackend) => Promise<T>): Promise<T> {
    while (this.health === "hanging") await this.#time.wait(100);
    // A failing one does not fail always.
    const isFailing = this.health !== "up" && this.#random() < 0.9;
    if (isFailing && this.health === "failing") throw outOfOrder();
    const result = await operate(this.#engine);
    if (isFailing) throw outOfOrder();
    return result;
  }
}

function outOfOrder(): CacheError {
  return new CacheError("backend", "The server is out of order");
}

/** One machine's way to the server. */
export class SimBackend implements CacheBackend {
  readonly name = "shared";
  /** Makes the bus of the machine. */
  readonly createInvalidationBus: () => InvalidationBus;
  readonly #server: SimServer;
  readonly #link: SimLink;
  readonly #history: SimHistory;

  constructor(
    server: SimServer,
    link: SimLink,
    history: SimHistory,
    createInvalidationBus: () => InvalidationBus,
  ) {
    this.#server = server;
    this.#link = link;
    this.#history = history;
    this.createInvalidationBus = createInvalidationBus;
  }

  get(key: string, options?: OperationOptions): Promise<CacheEntry | undefined> {
    return this.#ask(options, (engine) => engine.get(key));
  }

  getMany(
    keys: readonly string[],
    options?: OperationOptions,
  ): Promise<(CacheEntry | undefined)[]> {
    return this.#ask(options, (engine) => engine.getMany!(keys));
  }

  exists(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#ask(options, (engine) => engine.exists(key));
  }

  async set(key: string, entry: CacheEntry, options?: OperationOptions): Promise<boolean> {
    const comes = this.#history.meant(entry);
    return await this.#ask(options, (engine) => {
      comes();
      return engine.set(key, entry);
    });
  }

  async delete(key: string, options?: OperationOptions): Promise<boolean> {
    return await this.#ask(options, (engine) => engine.delete(key));
  }

  async clear(pattern?: string, options?: ClearOptions): Promise<number> {
    return await this.#ask(options, (engine) => {
      this.#history.cleared(pattern);
      return engine.clear(pattern, { keeps: options?.keeps });
    });
  }

  async setNewest(
    entries: readonly CacheEntry[],
    options?: OperationOptions,
  ): Promise<VersionedOutcome[]> {
    const come = entries.map((entry) => this.#history.meant(entry));
    return await this.#ask(options, (engine) => {
      for (const comes of come) comes();
      return engine.setNewest!(entries);
    });
  }

  async deleteUpTo(
    keys: readonly string[],
    version: number,
    options?: OperationOptions,
  ): Promise<number> {
    for (const key of keys) this.#history.meantDeleted(key, version);
    return await this.#ask(options, (engine) => engine.deleteUpTo!(keys, version));
  }

  async *keys(pattern = "*", options?: OperationOptions): AsyncIterable<string> {
    const matches = compileGlob(pattern);
    yield* await this.#ask(options, () => Promise.resolve(this.#server.keys.filter(matches)));
  }

  getStats(): Promise<BackendStats> {
    return Promise.resolve({});
  }

  /** Whoever asks may give up; what it asked for is done all the same. */
  #ask<T>(
    options: OperationOptions | undefined,
    operate: (engine: SteppedBackend) => Promise<T>,
  ): Promise<T> {
    const signal = options?.signal;
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise<T>((resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      this.#link.request(() => this.#server.serve(operate)).then(resolve, reject);
    });
  }
}
