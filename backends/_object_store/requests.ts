import type { Clock } from "../../src/types.ts";
import { abortable } from "../_abortable.ts";
import { backOff, type Random } from "../_back_off.ts";
import { Gate } from "./gate.ts";
import { StoreError } from "./store_error.ts";

/** Options of {@linkcode Requests}. */
export interface RequestsOptions {
  /** The one source of time. */
  readonly clock: Clock;
  /** Spreads attempts; from 0 up to 1. */
  readonly random: Random;
  /** Requests under way at once. */
  readonly maxRequests: number;
  /** Attempts for one request, the first included. */
  readonly maxAttempts: number;
  /** Milliseconds after which an attempt is given up. */
  readonly requestTimeout: number;
}

/** Makes one attempt; it is told how many there were before. */
type Send<T> = (signal: AbortSignal, attempt: number) => Promise<T>;

/** The most that a store can make us wait, in milliseconds. */
const MAX_RETRY_AFTER_MS = 20_000;

/**
 * How long a write may go on that its caller has given up. Cut off at once, it
 * might still reach the store, after a later write of the same key.
 */
const ABORTED_WRITE_MS = 2000;

/** Sends requests: a limited number at once, each a limited number of times. */
export class Requests {
  readonly #options: RequestsOptions;
  readonly #gate: Gate;

  constructor(options: RequestsOptions) {
    this.#options = options;
    this.#gate = new Gate(options.maxRequests);
  }

  /**
   * Sends a request that changes nothing, and again when another attempt may do better.
   *
   * @param send makes one attempt; it is told how many there were before.
   * @throws the signal's reason, or what the last attempt failed with.
   */
  read<T>(signal: AbortSignal | undefined, send: Send<T>): Promise<T> {
    return this.#send(signal, 0, send);
  }

  /**
   * Sends a request that changes something. It settles when nothing of it can
   * reach the store any more: up to two seconds after its signal is aborted.
   */
  write<T>(signal: AbortSignal | undefined, send: Send<T>): Promise<T> {
    return this.#send(signal, ABORTED_WRITE_MS, send);
  }

  async #send<T>(signal: AbortSignal | undefined, grace: number, send: Send<T>): Promise<T> {
    for (let attempt = 0;; attempt++) {
      try {
        return await this.#attempt(signal, grace, (own) => send(own, attempt));
      } catch (error) {
        signal?.throwIfAborted();
        await this.#beforeNext(error, attempt, signal);
      }
    }
  }

  /** One attempt, which ends so long after its caller has given it up. */
  async #attempt<T>(
    signal: AbortSignal | undefined,
    grace: number,
    send: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    await this.#gate.enter(signal);
    const { clock, requestTimeout } = this.#options;
    const controller = new AbortController();
    let isLate = false;
    const cancels = [
      clock.schedule(
        () => {
          isLate = true;
          controller.abort(new StoreError("network", { detail: "timeout" }));
          // Keeps the process: a request whose connection is lost may be all that is left.
        },
        requestTimeout,
        true,
      ),
    ];
    const onAbort = (): void => {
      if (grace === 0) controller.abort(signal?.reason);
      else cancels.push(clock.schedule(() => controller.abort(signal?.reason), grace));
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      signal?.throwIfAborted();
      // Some clients take their time to notice.
      return await abortable(send(controller.signal), controller.signal);
    } catch (error) {
      throw isLate ? controller.signal.reason : error;
    } finally {
      this.#gate.leave();
      for (const cancel of cancels) cancel();
      signal?.removeEventListener("abort", onAbort);
    }
  }

  async #beforeNext(
    error: unknown,
    attempt: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { clock, random, maxAttempts } = this.#options;
    if (!(error instanceof StoreError)) throw error;
    // A client that knows the store's time by now signs with it; a second refusal is one.
    const mayHelp = error.isRetryable || (error.kind === "clock" && attempt === 0);
    if (!mayHelp || attempt + 1 >= maxAttempts) throw error;
    if (error.kind === "clock") return;
    const wait = Math.max(backOff(attempt, random), Math.min(error.retryAfter, MAX_RETRY_AFTER_MS));
    await waited(clock, wait, signal);
  }
}

function waited(clock: Clock, delay: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.schedule(
      () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      },
      delay,
      true,
    );
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
