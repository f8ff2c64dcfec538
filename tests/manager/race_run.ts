import type { Cache } from "../../src/manager/cache.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import type { CacheBackend } from "../../src/types.ts";
import { jsonSerializer } from "../../src/serializers/json.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { seededRandom } from "../fakes/seeded_random.ts";
import { settle } from "../fakes/settle.ts";
import { type Step, SteppedBackend } from "../fakes/stepped_backend.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";
import { type Change, RaceHistory } from "./race_history.ts";

/** What a {@linkcode raceRun} is made of. */
export interface RaceOptions {
  /** Decides everything. */
  readonly seed: number;
  /** Whether operations of the slow tiers fail, before or after they have taken effect, or are not answered in time. */
  readonly hasFaults: boolean;
  /** Whether the slow tiers go on when they are told to stop. */
  readonly isDeaf: boolean;
  /** Whether there is a tier inside the process. */
  readonly hasMemory: boolean;
  /** How many slow tiers there are. */
  readonly slowTiers: number;
  /** Whether they have batch methods. */
  readonly hasBatches: boolean;
  /** Whether they answer reads at once where they are asked to. */
  readonly isInstant: boolean;
  /** Whether values have tags that are dropped. */
  readonly hasTags: boolean;
  /** Whether all tiers but the last decline some values. */
  readonly hasLimits: boolean;
  /** Whether callers give up. */
  readonly hasAborts: boolean;
}

const KEYS = ["a1", "a2", "b1"] as const;
const CALLERS = 4;
const MOVES = 160;
const DEADLINE_MS = 1000;
const LONG = "x".repeat(500);

/** Plays one random interleaving of callers and tiers, and checks every read in it and what is left at its end. */
export async function raceRun(options: RaceOptions): Promise<void> {
  const run = new RaceRun(options);
  await run.play();
}

class RaceRun {
  readonly #options: RaceOptions;
  readonly #random: () => number;
  readonly #clock = new FakeClock();
  readonly #history = new RaceHistory();
  readonly #memory: SyncBackend | undefined;
  readonly #slow: SteppedBackend[];
  readonly #loaders: { readonly end: (fails: boolean) => void }[] = [];
  readonly #failures: unknown[] = [];
  readonly #callers = new Set<AbortController>();
  #loadsOf = new Map<string, number>();
  #busy = 0;
  #values = 0;

  constructor(options: RaceOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#memory = options.hasMemory ? new SyncBackend(this.#clock) : undefined;
    this.#slow = Array.from(
      { length: options.slowTiers },
      (_, at) => new SteppedBackend(`slow${at}`, options),
    );
  }

  async play(): Promise<void> {
    const backends: CacheBackend[] = [...(this.#memory ? [this.#memory] : []), ...this.#slow];
    const cache = await CacheManager.open({
      backends: backends.map((backend, at) => ({
        backend,
        deadline: `${DEADLINE_MS}ms`,
        ...(this.#options.hasLimits && at < backends.length - 1 && { maxEntryBytes: 300 }),
      })),
      clock: this.#clock,
      serializationFormat: jsonSerializer,
    });
    for (let move = 0; move < MOVES; move++) {
      await this.#move(cache);
      await settle(this.#random() < 0.3 ? 2 : 60);
      this.#throwFailure();
    }
    await this.#wind();
    await this.#checkTiers(cache);
    await cache.close();
  }

  async #move(cache: Cache): Promise<void> {
    const choice = this.#random();
    if (choice < 0.35) {
      if (this.#busy < CALLERS) this.#call(cache);
    } else if (choice < 0.5) {
      this.#pick(this.#loaders)?.end(this.#random() < 0.25);
    } else if (choice < 0.52 && this.#options.hasAborts) {
      this.#pick([...this.#callers])?.abort(new Aborted());
    } else if (choice < 0.55 && this.#options.hasFaults) {
      await this.#clock.advanceAsync(DEADLINE_MS / 2);
    } else {
      const steps = this.#slow.flatMap((tier) => tier.steps);
      const step = this.#pick(steps);
      if (step !== undefined && !step.isDone && this.#isForgotten(step)) {
        // Nobody waits for it any more: until its end is told, its effect may be seen.
        step.finish();
        await settle();
      } else if (this.#options.hasFaults && this.#random() < 0.15) step?.fail();
      else if (this.#random() < 0.3) step?.finish();
      else step?.advance();
    }
  }

  #isForgotten({ begunAt }: Step): boolean {
    return this.#clock.now() - begunAt >= 2 * DEADLINE_MS;
  }

  /** One caller does one thing. */
  #call(cache: Cache): void {
    this.#busy++;
    const caller = new AbortController();
    this.#callers.add(caller);
    this.#operate(cache, this.#options.hasAborts ? caller.signal : undefined).catch((error) => {
      if (!(error instanceof Aborted)) this.#failures.push(error);
    }).finally(() => {
      this.#busy--;
      this.#callers.delete(caller);
    });
  }

  async #operate(cache: Cache, signal: AbortSignal | undefined): Promise<void> {
    const options = { signal };
    const choice = this.#random();
    const key = this.#pick(KEYS)!;
    if (choice < 0.25) {
      await this.#read([key], async () => [await cache.get(key, options)]);
    } else if (choice < 0.35) {
      await this.#read(KEYS, () => cache.getMany(KEYS, options));
    } else if (choice < 0.55) {
      const change = this.#giving(key);
      const { value, tags } = change;
      await this.#change(change, () => cache.set(key, value, { tags, signal }));
    } else if (choice < 0.62) {
      const changes = KEYS.map((each) => this.#giving(each));
      const entries = changes.map(({ value, tags }, at) => ({ key: KEYS[at]!, value, tags }));
      await cache.setMany(entries, options);
      for (const change of changes) change.end = this.#history.tick();
    } else if (choice < 0.72) {
      await this.#change(
        this.#taking("delete", (each) => each === key),
        () => cache.delete(key, options),
      );
    } else if (choice < 0.77) {
      await this.#change(
        this.#taking("deleteMany", () => true),
        () => cache.deleteMany(KEYS, options),
      );
    } else if (choice < 0.82) {
      await this.#change(
        this.#taking("clear a*", (each) => each.startsWith("a")),
        () => cache.clear("a*", options),
      );
    } else if (choice < 0.85) {
      await this.#change(this.#taking("clear", () => true), () => cache.clear(undefined, options));
    } else if (choice < 0.88 && this.#options.hasTags) {
      const tag = this.#tag();
      const change = this.#history.begin({
        name: `drop ${tag}`,
        value: undefined,
        concerns: () => true,
        tags: [],
        tag,
      });
      await this.#change(change, () => cache.deleteByTag(tag, options));
    } else if (choice < 0.95) {
      const tagging = { ...this.#tagging(), signal };
      await this.#load([key], tagging.tags, async (load) => [
        await cache.getOrSet(key, async () => (await load([key]))[0], tagging),
      ]);
    } else {
      const tagging = { ...this.#tagging(), signal };
      await this.#load(
        KEYS,
        tagging.tags,
        (load) => cache.getOrSetMany(KEYS, load, tagging),
      );
    }
  }

  async #read(keys: readonly string[], read: () => Promise<unknown[]>): Promise<void> {
    const start = this.#history.tick();
    const values = await read();
    const end = this.#history.tick();
    keys.forEach((key, at) =>
      this.#history.check(
        { key, value: values[at], start, end },
        this.#options.hasFaults || this.#options.hasAborts,
      )
    );
  }

  /** Reads through to a loader, and sees that no two loaders of a key run at once. */
  async #load(
    keys: readonly string[],
    tags: readonly string[],
    read: (load: (missing: readonly string[]) => Promise<unknown[]>) => Promise<unknown[]>,
  ): Promise<void> {
    const given: Change[] = [];
    const start = this.#history.tick();
    const load = async (missing: readonly string[]): Promise<unknown[]> => {
      for (const key of missing) {
        const running = this.#loadsOf.get(key) ?? 0;
        if (running > 0) this.#failures.push(new Error(`two loaders of ${key} at once`));
        this.#loadsOf.set(key, running + 1);
      }
      const changes = missing.map((key) =>
        this.#history.begin({ ...this.#value(key, tags), name: `load ${key}`, isLoad: true })
      );
      given.push(...changes);
      try {
        await new Promise<void>((resolve, reject) => {
          const held = {
            end: (fails: boolean) => {
              this.#loaders.splice(this.#loaders.indexOf(held), 1);
              if (fails) reject(new LoaderFailed());
              else resolve();
            },
          };
          this.#loaders.push(held);
        });
        return changes.map(({ value }) => value);
      } finally {
        for (const key of missing) this.#loadsOf.set(key, this.#loadsOf.get(key)! - 1);
      }
    };
    try {
      const values = await read(load);
      const end = this.#history.tick();
      for (const change of given) change.end = end;
      keys.forEach((key, at) => this.#history.check({ key, value: values[at], start, end }, false));
    } catch (error) {
      if (!(error instanceof LoaderFailed)) throw error;
    }
  }

  async #change(change: Change, operate: () => Promise<unknown>): Promise<void> {
    await operate();
    change.end = this.#history.tick();
  }

  #giving(key: string): Change {
    return this.#history.begin({
      ...this.#value(key, this.#tagging().tags),
      name: `set ${key}`,
    });
  }

  #value(key: string, tags: readonly string[]): Omit<Change, "name" | "start" | "end"> {
    const size = this.#options.hasLimits && this.#random() < 0.4 ? LONG : "";
    const value = `${key}#${++this.#values}${size}`;
    return { value, concerns: (each) => each === key, tags };
  }

  #taking(name: string, concerns: (key: string) => boolean): Change {
    return this.#history.begin({ name, value: undefined, concerns, tags: [] });
  }

  #tag(): string {
    return this.#random() < 0.5 ? "t" : "u";
  }

  #tagging(): { tags: string[] } {
    return { tags: this.#options.hasTags && this.#random() < 0.6 ? [this.#tag()] : [] };
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.#random() * from.length)];
  }

  /** Lets everything end. */
  async #wind(): Promise<void> {
    for (const tier of this.#slow) tier.flow();
    for (let round = 0; this.#busy > 0 || round < 3; round++) {
      if (round > 1000) throw new Error("callers wait for ever");
      for (const loader of [...this.#loaders]) loader.end(false);
      await settle();
      await this.#clock.advanceAsync(DEADLINE_MS);
      this.#throwFailure();
    }
  }

  /** Reads each tier alone: what is faster is emptied behind the cache's back. */
  async #checkTiers(cache: CacheManager): Promise<void> {
    const tiers = [
      ...(this.#memory ? [this.#memory.entries] : []),
      ...this.#slow.map((tier) => tier.frames),
    ];
    for (const [at] of tiers.entries()) {
      for (const key of KEYS) {
        for (const faster of tiers.slice(0, at)) faster.delete(key);
        this.#history.checkFinal(key, await cache.get(key));
        await cache.flush();
        for (const faster of tiers.slice(0, at)) faster.delete(key);
        this.#history.checkFinal(key, await cache.get(key));
        await cache.flush();
      }
    }
    if (this.#options.hasFaults || this.#options.hasTags || this.#options.hasAborts) return;
    for (const tier of this.#slow) {
      for (const key of KEYS) this.#history.checkFinal(key, await tier.read(key)?.value());
    }
  }

  #throwFailure(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
  }
}

class LoaderFailed extends Error {}

class Aborted extends Error {}
