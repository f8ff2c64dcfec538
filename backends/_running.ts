import { CacheError } from "../src/errors.ts";
import { unguardedSignal } from "./_abortable.ts";
import type { Clock, OperationOptions } from "../src/types.ts";

/** A server that hangs must not keep a program from its end; milliseconds. */
const CLOSE_LIMIT_MS = 5000;

/** Counts the operations of a backend, so that closing can wait for them. */
export class Running {
  readonly #backend: string;
  #count = 0;
  #isClosed = false;
  #onIdle: (() => void) | undefined;

  constructor(backend: string) {
    this.#backend = backend;
  }

  /** Whether operations are refused. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Runs one operation.
   *
   * @throws the signal's reason when it is aborted already, or {@linkcode CacheError} `"closed"`.
   */
  async run<T>(options: OperationOptions | undefined, operate: () => Promise<T>): Promise<T> {
    this.enter(options);
    try {
      return await operate();
    } finally {
      this.leave();
    }
  }

  /** Begins an operation, which must {@linkcode Running.leave}, or refuses it. */
  enter(options: OperationOptions | undefined): void {
    this.begin(options);
    this.#count++;
  }

  /** An operation has ended. */
  leave(): void {
    if (--this.#count === 0) this.#onIdle?.();
  }

  /** Refuses what must not begin. */
  begin(options: OperationOptions | undefined): void {
    unguardedSignal(options)?.throwIfAborted();
    if (this.#isClosed) {
      const backend = this.#backend;
      throw new CacheError("closed", `Cannot use backend ${backend}: it is closed`, { backend });
    }
  }

  /** Refuses what comes from now on. @returns a promise that waits up to five seconds for what is under way. */
  close(clock: Clock): Promise<void> {
    this.#isClosed = true;
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = clock.schedule(resolve, CLOSE_LIMIT_MS, true);
      this.#onIdle = () => {
        cancel();
        resolve();
      };
    });
  }
}
