import type { Clock } from "../../src/types.ts";
import { abortable } from "../_abortable.ts";
import { StoreError } from "./store_error.ts";

/** Options of {@linkcode CredentialCache}. */
export interface CredentialCacheOptions<T> {
  /** Gives a credential; whether it heeds the signal or not, it is given up then. */
  readonly ask: (signal: AbortSignal) => Promise<T>;
  /** When a credential ends, in epoch milliseconds; `undefined` when it does not. */
  readonly endOf: (credential: T) => number | undefined;
  /** The one source of time. */
  readonly clock: Clock;
}

/** How long before its end a credential is asked for anew, in milliseconds. */
const AHEAD_MS = 2 * 60_000;
/** How long before its end it is not used any more: a request takes its time. */
const LEAST_MS = 10_000;
/** Between attempts to replace one that still serves. */
const PAUSE_MS = 10_000;
/** How long whoever gives credentials may take. */
const LIMIT_MS = 10_000;

/**
 * Keeps what lets requests in, and replaces it before it ends. One call to who
 * gives it serves all that wait, and nobody waits while the known one is good.
 * A call that does not answer is given up, so that it cannot hold the store for ever.
 */
export class CredentialCache<T> {
  readonly #options: CredentialCacheOptions<T>;
  #known: T | undefined;
  #renewing: Promise<T> | undefined;
  /** When one that still serves may be replaced. */
  #renewAt = 0;

  constructor(options: CredentialCacheOptions<T>) {
    this.#options = options;
  }

  /**
   * A credential that has not ended.
   *
   * @throws what asking for it failed with: {@linkcode StoreError} `"network"` when it took too long.
   */
  async get(): Promise<T> {
    const { clock, endOf } = this.#options;
    const known = this.#known;
    if (known !== undefined) {
      const now = clock.now();
      const left = (endOf(known) ?? Infinity) - now;
      if (left > AHEAD_MS) return known;
      if (left > LEAST_MS) {
        if (now >= this.#renewAt) {
          this.#renewAt = now + PAUSE_MS;
          // Those that ask when it has ended hear of a failure.
          this.#renew().catch(() => {});
        }
        return known;
      }
    }
    return await this.#renew();
  }

  /** Forgets a credential that the store refuses, unless it has been replaced. */
  refuse(credential: T): void {
    if (this.#known === credential) this.#known = undefined;
  }

  #renew(): Promise<T> {
    this.#renewing ??= this.#ask().finally(() => this.#renewing = undefined);
    return this.#renewing;
  }

  async #ask(): Promise<T> {
    const { ask, clock } = this.#options;
    const controller = new AbortController();
    const cancel = clock.schedule(
      () => controller.abort(new StoreError("network", { detail: "credentials.timeout" })),
      LIMIT_MS,
      true,
    );
    try {
      return this.#known = await abortable(ask(controller.signal), controller.signal);
    } finally {
      cancel();
    }
  }
}
