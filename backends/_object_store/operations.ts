import type { Clock, OperationOptions } from "../../src/types.ts";
import { CacheError } from "../../src/errors.ts";
import { abortable } from "../_abortable.ts";
import { Running } from "../_running.ts";
import type { KeyFailure } from "./clear_entries.ts";
import { KeyLanes } from "./key_lanes.ts";
import type { ObjectStore } from "./object_store.ts";
import { failureOfKeys, storeFailure } from "./store_failure.ts";

/** Runs the operations of a backend: none after its close, writes of a key one after another, with named errors. */
export class Operations {
  readonly #backend: string;
  readonly #store: Pick<ObjectStore, "label" | "place">;
  readonly #lanes = new KeyLanes();
  readonly #running: Running;

  constructor(backend: string, store: Pick<ObjectStore, "label" | "place">) {
    this.#backend = backend;
    this.#store = store;
    this.#running = new Running(backend);
  }

  /** Brings writes into order that are part of an operation. */
  get lanes(): KeyLanes {
    return this.#lanes;
  }

  /** Refuses what must not begin. */
  begin(options: OperationOptions | undefined): void {
    this.#running.begin(options);
  }

  /** Runs something as it is, unless the backend is closed. */
  run<T>(options: OperationOptions | undefined, operate: () => Promise<T>): Promise<T> {
    return this.#running.run(options, operate);
  }

  /** Runs an operation, and makes named errors of what comes of it. */
  do<T>(
    verb: string,
    key: string | undefined,
    options: OperationOptions | undefined,
    operate: () => Promise<T>,
  ): Promise<T> {
    return this.#running.run(options, async () => {
      try {
        return await operate();
      } catch (error) {
        throw this.failure(verb, key, error, options?.signal);
      }
    });
  }

  /** Runs an operation that changes keys, after those that came before it. */
  write<T>(
    verb: string,
    keys: readonly string[],
    options: OperationOptions | undefined,
    operate: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    const signal = options?.signal;
    const key = keys.length === 1 ? keys[0] : undefined;
    return this.do(verb, key, options, () =>
      abortable(
        this.#lanes.run(keys, () => {
          signal?.throwIfAborted();
          return operate(signal);
        }),
        signal,
      ));
  }

  /** What a caller is to see of a failure. */
  failure(
    verb: string,
    key: string | undefined,
    error: unknown,
    signal: AbortSignal | undefined,
  ): unknown {
    if (error instanceof TypeError || error instanceof RangeError) return error;
    if (signal?.aborted === true) return signal.reason;
    const action = `Cannot ${verb} ${this.#store.label}`;
    return storeFailure(error, this.#store, { backend: this.#backend, action, key });
  }

  /** Throws one error for those keys for which something failed, if there are any. */
  throwFor(verb: string, failures: readonly KeyFailure[]): void {
    if (failures.length === 0) return;
    const error = this.failure(verb, undefined, failures[0]!.error, undefined);
    const keys = failures.map(({ key }) => key);
    throw error instanceof CacheError ? failureOfKeys(error, keys) : error;
  }

  /** Refuses what comes from now on. @returns a promise that waits up to five seconds for what is under way. */
  close(clock: Clock): Promise<void> {
    return this.#running.close(clock);
  }
}
