/**
 * How processes agree on who does something that only one should do.
 *
 * @module
 */

import type { OperationOptions } from "../types.ts";

/** Options of {@linkcode LockProvider.acquire}. */
export interface AcquireOptions extends OperationOptions {
  /** Milliseconds after which the lock is free again unless it is renewed; at least 1. */
  readonly leaseMs: number;
}

/**
 * A lock that is held, until it is released or its lease is over. An owner that
 * was frozen may think that it still holds one: what it writes must carry the
 * fencing number, so that newer owners' writes win.
 */
export interface Lock {
  /** What is locked. */
  readonly name: string;
  /** Grows with every owner of this name. */
  readonly fence: number;
  /**
   * Makes the lease last from now on.
   *
   * @param leaseMs in milliseconds.
   * @returns `false` when the lock is lost: its lease was over, and another may hold it.
   */
  renew(leaseMs: number, options?: OperationOptions): Promise<boolean>;
  /**
   * Frees the lock, unless another has it by now.
   *
   * @returns whether it was still held.
   */
  release(options?: OperationOptions): Promise<boolean>;
}

/** Hands out locks, each to one owner at a time among all processes that share the store. */
export interface LockProvider {
  /** Names the provider in events and errors. */
  readonly name: string;
  /**
   * Takes a lock if it is free. It does not wait.
   *
   * @param name any string; no two names share a lock.
   * @returns the lock, or `undefined` when another owner has it.
   * @throws {CacheError} `"unavailable"` or `"backend"` when the store cannot tell.
   * A call that ended in an error or by its signal may hold the lock until its lease is over.
   */
  acquire(name: string, options: AcquireOptions): Promise<Lock | undefined>;
}

/** A backend that can hand out locks to the caches that share it. */
export interface LockProviderSource {
  /** Makes a provider over the same store and connection; it ends with the backend. */
  createLockProvider(): LockProvider;
}
