import type { Tier } from "./tier.ts";

/** Keys that are looked at together. */
const CONCURRENCY = 64;

/**
 * Drops from a tier what others have changed. In memory that is done at once;
 * elsewhere a key is not read any more from now on, and looked at in the
 * background, each once however often it is named meanwhile.
 */
export class LazyDrops {
  readonly #tier: Tier;
  #waiting = new Map<string, { readonly version: number; readonly doubt: number | undefined }>();
  #working: Promise<void> | undefined;

  constructor(tier: Tier) {
    this.#tier = tier;
  }

  /** Drops what the tier holds of a key unless it is newer than a version. */
  add(key: string, version: number): void {
    const tier = this.#tier;
    if (tier.isInProcess) return tier.dropNow(key, version);
    const held = this.#waiting.get(key);
    this.#waiting.set(key, {
      version: Math.max(version, held?.version ?? 0),
      doubt: held === undefined ? tier.doubt(key) : held.doubt,
    });
    this.#working ??= this.#work().finally(() => this.#working = undefined);
  }

  /** Resolves when all has been looked at. */
  async idle(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  async #work(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.size > 0) {
      const some = [...this.#waiting].slice(0, CONCURRENCY);
      for (const [key] of some) this.#waiting.delete(key);
      await Promise.all(some.map(async ([key, { version, doubt }]) => {
        await this.#tier.drop(key, version);
        if (doubt !== undefined) this.#tier.trust(key, doubt);
      }));
    }
  }
}
