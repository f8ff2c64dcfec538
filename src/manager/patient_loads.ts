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
  /** Whether a load is under way: then nobody has to see to it that there is one. */
  readonly isUnderWay: () => boolean;
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
      if (age >= policy.refreshAhead * asked.ttl && !asked.isUnderWay()) {
        // Its failure is told as an event, like that of any load.
        load(undefined, true).catch(() => {});
      }
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
    const { key, policy: { softTimeout, hardTimeout }, signal } = asked;
    const isUnderWay = asked.isUnderWay();
    if (softTimeout === 0) {
      // Its failure is told as an event, like that of any load.
      if (!isUnderWay) this.#inTime(asked, undefined).catch(() => {});
      this.#stack.servedStale(key.stored, undefined);
      return stale;
    }
    // Who waits for what others load is not to wait for ever, nor to load when that fails.
    const leaving = isUnderWay && hardTimeout === Infinity ? new AbortController() : undefined;
    const loading = this.#inTime(asked, leaving?.signal);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    let isOver = false;
    const give = (error?: unknown): void => {
      if (isOver) return;
      isOver = true;
      this.#stack.servedStale(key.stored, error);
      resolve(stale);
      leaving?.abort();
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
