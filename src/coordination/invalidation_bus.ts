/**
 * How caches of several processes tell one another what has changed.
 *
 * @module
 */

import type { OperationOptions } from "../types.ts";
import type { CacheError } from "../errors.ts";

/**
 * What has changed. It says which, and since which version, never the value.
 *
 * `version` is the stamp of the write or delete; `undefined` where the source
 * cannot tell it, as when the server itself reports a change. What is held with
 * a version that is not older than that may stay.
 */
export type Invalidation =
  | { readonly kind: "key"; readonly key: string; readonly version: number | undefined }
  | { readonly kind: "tag"; readonly tag: string; readonly version: number | undefined }
  | {
    readonly kind: "clear";
    /** As `compileGlob` reads it; `undefined` for everything. */
    readonly pattern: string | undefined;
    readonly version: number | undefined;
  };

/** Takes what a bus has to tell. None of its methods may throw. */
export interface InvalidationListener {
  /** Others have changed this. Own changes are not told. */
  invalidated(invalidations: readonly Invalidation[]): void;
  /**
   * Messages arrive from now on. Whatever was read before this call may have
   * changed unheard: what could be stale is to be dropped. Called once after
   * the first connection, and after each that was lost.
   */
  connected(): void;
  /** From now on messages may be missed, until {@linkcode InvalidationListener.connected}. Called once a loss. */
  disconnected(error: CacheError): void;
}

/**
 * Carries invalidations between processes, at most once each and in the order
 * of each sender, at least what it says of one key. What may have been missed
 * is told as a lost connection.
 */
export interface InvalidationBus {
  /** Names the bus in events and errors. */
  readonly name: string;
  /**
   * Tells others what this process has changed. Many in one call travel in few messages.
   *
   * @throws {CacheError} `"unavailable"` when it could not be handed to the
   * transport; whether others got it is then not known.
   */
  publish(invalidations: readonly Invalidation[], options?: OperationOptions): Promise<void>;
  /**
   * Begins to listen; the first listener opens the connection, which is then
   * kept up until {@linkcode InvalidationBus.close}.
   *
   * @returns a function that ends it.
   */
  subscribe(listener: InvalidationListener): () => void;
  /** Ends everything. Safe to call twice. */
  close(): Promise<void>;
}

/** A backend that can carry invalidations for the caches that share it. */
export interface InvalidationBusSource {
  /** Makes a bus over the same store; it is the caller's to close. */
  createInvalidationBus(): InvalidationBus;
}
