import { CacheError } from "../src/errors.ts";
import type { AcquireOptions, Lock, LockProvider } from "../src/coordination/lock_provider.ts";
import type { OperationOptions } from "../src/types.ts";
import { ACQUIRE_SCRIPT, RELEASE_SCRIPT, RENEW_SCRIPT } from "./_lock_scripts.ts";
import type { StoredNames } from "./_stored_key.ts";

/** Runs a script; all its keys are in one slot. Strings in the reply may be bytes. */
export type Evaluate = (
  script: string,
  keys: readonly string[],
  args: readonly string[],
  options: OperationOptions | undefined,
) => Promise<unknown>;

/** Locks by the scripts that every Redis runs. */
export class ScriptLocks implements LockProvider {
  readonly name: string;
  readonly #names: StoredNames;
  readonly #evaluate: Evaluate;

  constructor(name: string, names: StoredNames, evaluate: Evaluate) {
    this.name = name;
    this.#names = names;
    this.#evaluate = evaluate;
  }

  /** Takes a lock if it is free. */
  async acquire(name: string, options: AcquireOptions): Promise<Lock | undefined> {
    const { leaseMs, signal } = options;
    const lease = leaseText(name, leaseMs);
    const { lock, fence } = this.#names.lock(name);
    const token = crypto.randomUUID();
    let reply: unknown;
    try {
      reply = await this.#evaluate(ACQUIRE_SCRIPT, [lock, fence], [token, lease], { signal });
    } catch (error) {
      // The server may have given it all the same. What cannot be freed ends with its lease.
      this.#evaluate(RELEASE_SCRIPT, [lock], [token], undefined).catch(() => {});
      throw error;
    }
    if (reply === null || reply === undefined) return undefined;
    const number = Number(String(reply));
    if (!(number > 0)) {
      throw new CacheError("backend", "Cannot acquire lock: the server's answer is no number", {
        backend: this.name,
      });
    }
    return new ScriptLock(name, number, lock, token, this.#evaluate);
  }
}

class ScriptLock implements Lock {
  readonly name: string;
  readonly fence: number;
  readonly #stored: string;
  readonly #token: string;
  readonly #evaluate: Evaluate;

  constructor(name: string, fence: number, stored: string, token: string, evaluate: Evaluate) {
    this.name = name;
    this.fence = fence;
    this.#stored = stored;
    this.#token = token;
    this.#evaluate = evaluate;
  }

  async renew(leaseMs: number, options?: OperationOptions): Promise<boolean> {
    const args = [this.#token, leaseText(this.name, leaseMs)];
    return Number(await this.#evaluate(RENEW_SCRIPT, [this.#stored], args, options)) === 1;
  }

  async release(options?: OperationOptions): Promise<boolean> {
    const reply = await this.#evaluate(RELEASE_SCRIPT, [this.#stored], [this.#token], options);
    return Number(reply) === 1;
  }
}

function leaseText(name: string, leaseMs: number): string {
  if (!(leaseMs >= 1) || leaseMs > Number.MAX_SAFE_INTEGER) {
    throw new RangeError(
      `Cannot lock ${
        JSON.stringify(name.slice(0, 80))
      }: 'leaseMs' must be at least 1 and finite: current value is ${leaseMs}`,
    );
  }
  return String(Math.ceil(leaseMs));
}
