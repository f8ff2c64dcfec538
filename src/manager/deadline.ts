import { CacheError } from "../errors.ts";
import type { Clock, OperationOptions } from "../types.ts";

/** The longest that a timer of the runtimes can wait; one set for longer fires at once. */
const MAX_WAIT_MS = 2 ** 31 - 1;

/** The options of an operation under way, as its guard knows them. */
export interface GuardedOptions extends OperationOptions {
  /** Why it was given up, `undefined` until then; unlike the signal, nothing has to be made to tell. */
  readonly reason?: unknown;
}

/** One operation under way; it is the options that the backend gets. */
class GuardedOperation implements GuardedOptions {
  readonly isGuarded = true;
  readonly name: string;
  readonly dueAt: number;
  readonly giveUp: (operation: GuardedOperation, reason: unknown) => void;
  #controller: AbortController | undefined;
  #reason: unknown;

  constructor(
    name: string,
    dueAt: number,
    giveUp: (operation: GuardedOperation, reason: unknown) => void,
  ) {
    this.name = name;
    this.dueAt = dueAt;
    this.giveUp = giveUp;
  }

  /** Made when it is first asked for: a controller costs more than a disk read. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get reason(): unknown {
    return this.#reason;
  }

  abort(reason: unknown): void {
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

/**
 * Gives every operation of one tier the same time. Operations fall due in the
 * order in which they began, so one timer, for the oldest, does for all.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #delay: number;
  readonly #tier: string;
  /** In the order in which they fall due. */
  readonly #pending = new Set<GuardedOperation>();
  #armed = false;
  #disarm: () => void = () => {};

  /** @param delay in milliseconds; `Infinity` for none. */
  constructor(clock: Clock, delay: number, tier: string) {
    this.#clock = clock;
    this.#delay = delay;
    this.#tier = tier;
  }

  /**
   * Runs an operation until it ends, its time is over, or its caller gives up;
   * in the latter two cases its signal is aborted and nobody waits for it.
   *
   * @throws {CacheError} `"timeout"` when its time is over.
   */
  run<T>(
    name: string,
    start: (options: GuardedOptions) => Promise<T>,
    caller?: AbortSignal,
  ): Promise<T> {
    if (caller?.aborted) return Promise.reject(caller.reason);
    return new Promise<T>((resolve, reject) => {
      const operation = new GuardedOperation(
        name,
        this.#clock.recent() + this.#delay,
        (ended, reason) => {
          finish();
          ended.abort(reason);
          reject(reason);
        },
      );
      const onAbort = caller && ((): void => operation.giveUp(operation, caller.reason));
      const finish = (): void => {
        this.#pending.delete(operation);
        if (onAbort) caller.removeEventListener("abort", onAbort);
      };
      if (onAbort) caller.addEventListener("abort", onAbort, { once: true });
      this.#pending.add(operation);
      if (!this.#armed) this.#arm(operation);
      startSafely(start, operation).then((result) => {
        finish();
        resolve(result);
      }, (error) => {
        finish();
        reject(error);
      });
    });
  }

  /** Leaves no timer behind; for when all operations have ended. */
  end(): void {
    this.#disarm();
    this.#armed = false;
  }

  #arm(oldest: GuardedOperation): void {
    if (oldest.dueAt === Infinity) return;
    this.#armed = true;
    const wait = Math.max(0, oldest.dueAt - this.#clock.now());
    this.#disarm = this.#clock.schedule(() => this.#expire(), Math.min(wait, MAX_WAIT_MS));
  }

  #expire(): void {
    this.#armed = false;
    const now = this.#clock.now();
    for (const operation of this.#pending) {
      if (operation.dueAt > now) return this.#arm(operation);
      operation.giveUp(
        operation,
        new CacheError(
          "timeout",
          `Cannot ${operation.name} in tier "${this.#tier}": no answer within ${this.#delay} ms`,
          { backend: this.#tier },
        ),
      );
    }
  }
}

/** A backend that throws where it should reject fails like any other. */
function startSafely<T>(
  start: (options: GuardedOptions) => Promise<T>,
  options: GuardedOptions,
): Promise<T> {
  try {
    return Promise.resolve(start(options));
  } catch (error) {
    return Promise.reject(error);
  }
}
