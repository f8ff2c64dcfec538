import type { AcquireOptions, Lock, LockProvider } from "../../src/coordination/lock_provider.ts";

/** Takes each lock in the shard of its name. */
export class ShardedLocks implements LockProvider {
  /** Names the provider in events and errors. */
  readonly name: string;
  readonly #providerOf: (name: string) => LockProvider;

  constructor(name: string, providerOf: (name: string) => LockProvider) {
    this.name = name;
    this.#providerOf = providerOf;
  }

  /** Takes a lock if it is free. */
  async acquire(name: string, options: AcquireOptions): Promise<Lock | undefined> {
    return await this.#providerOf(name).acquire(name, options);
  }
}
