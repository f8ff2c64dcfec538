import { CacheEntry } from "../../src/entry/entry.ts";
import { compileGlob } from "../../src/glob.ts";
import type {
  BackendStats,
  CacheBackend,
  ClearOptions,
  Clock,
  OperationOptions,
  VersionedOutcome,
} from "../../src/types.ts";

/** An operation under way. It takes effect and is answered when told to. */
export interface Step {
  /** The method called. */
  readonly operation: string;
  /** The keys concerned; none for all. */
  readonly keys: readonly string[];
  /** Whether it has taken effect, and waits to be answered. */
  readonly isDone: boolean;
  /** When it was begun, by the clock of the backend. */
  readonly begunAt: number;
  /** Takes effect, or, if it has, answers. */
  advance(): void;
  /** Takes effect and answers. */
  finish(): void;
  /** Answers with an error, without effect if it has had none. */
  fail(error?: unknown): void;
}

/** A store that several backends share, and that keeps the newest version of each key. */
export class SharedStore {
  /** What it holds. */
  readonly frames: Map<string, Uint8Array> = new Map();
  /** The versions of deletes. */
  readonly marks: Map<string, number> = new Map();
}

/** Options of {@linkcode SteppedBackend}. */
export interface SteppedOptions {
  /** Whether it has getMany, setMany and deleteMany. @default false */
  readonly hasBatches?: boolean;
  /** Whether operations go on when their signal is aborted. @default false */
  readonly isDeaf?: boolean;
  /** Whether it has readNow. @default false */
  readonly isInstant?: boolean;
  /** What it is a view of; then it has setNewest and deleteUpTo. @default a store of its own */
  readonly store?: SharedStore;
  /** Says when entries are over. @default they never are */
  readonly clock?: Clock;
}

/** A store of frames, each operation of which waits to be moved on: every interleaving can be played. */
export class SteppedBackend implements CacheBackend {
  readonly name: string;
  /** What it holds. */
  readonly frames: Map<string, Uint8Array>;
  /** The operations under way, oldest first. */
  readonly steps: Step[] = [];
  /** While true, operations take effect and are answered at once. */
  isFlowing = false;
  declare readonly readNow?: NonNullable<CacheBackend["readNow"]>;
  declare readonly getMany?: NonNullable<CacheBackend["getMany"]>;
  declare readonly setMany?: NonNullable<CacheBackend["setMany"]>;
  declare readonly deleteMany?: NonNullable<CacheBackend["deleteMany"]>;
  declare readonly setNewest?: NonNullable<CacheBackend["setNewest"]>;
  declare readonly deleteUpTo?: NonNullable<CacheBackend["deleteUpTo"]>;
  readonly #isDeaf: boolean;
  readonly #clock: Clock | undefined;

  constructor(
    name = "stepped",
    { hasBatches = false, isDeaf = false, isInstant = false, store, clock }: SteppedOptions = {},
  ) {
    this.name = name;
    this.frames = store?.frames ?? new Map();
    this.#isDeaf = isDeaf;
    this.#clock = clock;
    if (isInstant) this.readNow = (key) => this.read(key);
    if (store !== undefined) {
      const { frames, marks } = store;
      const heldVersion = (key: string): number =>
        Math.max(marks.get(key) ?? -1, frames.has(key) ? this.read(key)?.version ?? -1 : -1);
      this.setNewest = (entries, options) => {
        const keys = entries.map((entry) => entry.key);
        return this.#step(
          "setNewest",
          keys,
          options,
          () =>
            entries.map((entry): VersionedOutcome => {
              const { key, version } = entry;
              if (version < heldVersion(key) || version === marks.get(key)) return "outdated";
              marks.delete(key);
              this.#write(entry);
              return "stored";
            }),
        );
      };
      this.deleteUpTo = (keys, version, options) =>
        this.#step("deleteUpTo", keys, options, () =>
          keys.filter((key) => {
            if (heldVersion(key) > version) return false;
            marks.set(key, version);
            return frames.delete(key);
          }).length);
    }
    if (!hasBatches) return;
    this.getMany = (keys, options) =>
      this.#step("getMany", keys, options, () => keys.map((key) => this.read(key)));
    this.setMany = (entries, options) =>
      this.#step(
        "setMany",
        entries.map((entry) => entry.key),
        options,
        () => entries.map((entry) => this.#write(entry)),
      );
    this.deleteMany = (keys, options) =>
      this.#step(
        "deleteMany",
        keys,
        options,
        () => keys.filter((key) => this.frames.delete(key)).length,
      );
  }

  get(key: string, options?: OperationOptions): Promise<CacheEntry | undefined> {
    return this.#step("get", [key], options, () => this.read(key));
  }

  set(key: string, entry: CacheEntry, options?: OperationOptions): Promise<boolean> {
    return this.#step("set", [key], options, () => this.#write(entry));
  }

  delete(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#step("delete", [key], options, () => this.frames.delete(key));
  }

  exists(key: string, options?: OperationOptions): Promise<boolean> {
    return this.#step("exists", [key], options, () => this.read(key) !== undefined);
  }

  clear(pattern = "*", options?: ClearOptions): Promise<number> {
    return this.#step("clear", [], options, () => {
      const matches = compileGlob(pattern);
      const doomed = [...this.frames.keys()].filter((key) =>
        matches(key) && !options?.keeps?.(key)
      );
      for (const key of doomed) this.frames.delete(key);
      return doomed.length;
    });
  }

  getStats(): Promise<BackendStats> {
    return Promise.resolve({ entries: this.frames.size });
  }

  /** What stands under a key. */
  read(key: string): CacheEntry | undefined {
    const frame = this.frames.get(key);
    if (frame === undefined) return undefined;
    const entry = CacheEntry.decode(key, frame);
    return entry.expiresAt > (this.#clock?.now() ?? 0) ? entry : undefined;
  }

  /** The oldest operation of a name. */
  step(operation: string): Step {
    const step = this.steps.find((candidate) => candidate.operation === operation);
    if (step === undefined) {
      throw new Error(
        `no ${operation} is under way, but [${this.steps.map(({ operation }) => operation)}]`,
      );
    }
    return step;
  }

  /** Finishes all that wait, and from now on everything at once. */
  flow(): void {
    this.isFlowing = true;
    while (this.steps.length > 0) this.steps[0]!.finish();
  }

  #write(entry: CacheEntry): boolean {
    this.frames.set(entry.key, entry.encode() as Uint8Array);
    return true;
  }

  #step<T>(
    operation: string,
    keys: readonly string[],
    options: OperationOptions | undefined,
    effect: () => T,
  ): Promise<T> {
    if (this.isFlowing) return Promise.resolve(effect());
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let done: { readonly result: T } | undefined;
    const leave = (): void => {
      const at = this.steps.indexOf(step);
      if (at >= 0) this.steps.splice(at, 1);
    };
    const step: Step = {
      operation,
      keys,
      begunAt: this.#clock?.now() ?? 0,
      get isDone() {
        return done !== undefined;
      },
      advance: () => {
        if (done === undefined) {
          done = { result: effect() };
          return;
        }
        leave();
        resolve(done.result);
      },
      finish: () => {
        if (done === undefined) step.advance();
        step.advance();
      },
      fail: (error = new Error(`${operation} failed`)) => {
        leave();
        reject(error);
      },
    };
    this.steps.push(step);
    if (!this.#isDeaf) {
      const signal = options?.signal;
      signal?.addEventListener("abort", () => {
        if (this.steps.includes(step)) step.fail(signal.reason);
      });
    }
    return promise;
  }
}
