import { CacheError } from "../errors.ts";
import type { LoadPolicy } from "./load_policy.ts";
import type { Aside } from "./lookups.ts";
import type { NamedKey } from "./loads.ts";
import type { TierStack } from "./tier_stack.ts";

/** A value that is asked for under a policy. */
export interface PatientLoad {
  readonly key: NamedKey;
  readonly policy: LoadPolicy;
  /** How long a value is fresh, in milliseconds. */
  readonly ttl: number;
  /** Ends its caller's wait. */
  readonly signal: AbortSignal | undefined;
  /**
   * Loads, or waits for the load under way.
   *
   * @param isAhead whether what is there is fresh still: then nobody waits for another process.
   */
  readonly load: (signal: AbortSignal | undefined, isAhead: boolean) => Promise<unknown>;
}

/** Loads that are not waited for longer than somebody wants to, or not at all. */
export class PatientLoads {
  readonly #stack: TierStack;

  constructor(stack: TierStack) {
    this.#stack = stack;
  }

  /** Reads a key, or loads it, or gives what was fresh before. */
  async get(asked: PatientLoad): Promise<unknown> {
    const { key, policy, signal, load } = asked;
    const aside: Aside = { stale: undefined, createdAt: Infinity };
    const cached = await this.#stack.get(key.stored, signal, aside);
    if (cached !== undefined) {
      const age = this.#stack.clock.now() - aside.createdAt;
      // Its failure is told as an event, like that of any load.
      if (age >= policy.refreshAhead * asked.ttl) load(undefined, true).catch(() => {});
      return cached;
    }
    return aside.stale === undefined
      ? await this.#inTime(asked, signal)
      : await this.#orStale(asked, aside.stale);
  }

  /** Waits for a load as long as it may take. */
  async #inTime(
    { key, policy: { hardTimeout }, load }: PatientLoad,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    if (hardTimeout === Infinity) return await load(signal, false);
    const over = new AbortController();
    const cancel = this.#stack.clock.schedule(
      () =>
        over.abort(
          new CacheError("timeout", `Cannot load: no value within ${hardTimeout} ms`, {
            key: key.given,
          }),
        ),
      hardTimeout,
      true,
    );
    try {
      const both = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
      return await load(both, false);
    } finally {
      cancel();
    }
  }

  /** Waits for a load for a while; it goes on when the stale value has been given. */
  async #orStale(asked: PatientLoad, stale: unknown): Promise<unknown> {
    const { key, policy: { softTimeout }, signal } = asked;
    const loading = this.#inTime(asked, undefined);
    if (softTimeout === 0) {
      // Its failure is told as an event, like that of any load.
      loading.catch(() => {});
      this.#stack.servedStale(key.stored, undefined);
      return stale;
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    let isOver = false;
    const give = (error?: unknown): void => {
      if (isOver) return;
      this.#stack.servedStale(key.stored, error);
      resolve(stale);
    };
    const giveUp = (): void => reject(signal?.reason);
    loading.then(resolve, give);
    signal?.addEventListener("abort", giveUp, { once: true });
    const cancel = this.#stack.clock.schedule(() => give(), softTimeout, true);
    try {
      return await promise;
    } finally {
      isOver = true;
      cancel();
      signal?.removeEventListener("abort", giveUp);
    }
  }
}
