import type { MaybePromise } from "../../src/maybe_promise.ts";

/** One value in the forms that stores take, made before the clock starts. */
export interface Item {
  /** Its number, from 0 on. */
  readonly at: number;
  readonly key: string;
  readonly vector: Float32Array<ArrayBuffer>;
  /** The bytes of `vector`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The first number of `vector`, to tell values apart without a look at cold memory. */
  readonly firstNumber: number;
  /** The second byte of `bytes`, for the same. */
  readonly secondByte: number;
}

/** A store that is measured. */
export interface Peer {
  readonly name: string;
  /** What is measured, with its version. */
  readonly version: () => MaybePromise<string>;
  /** Takes part in one round only, because it takes as long as all others together. @default false */
  readonly isSlow?: boolean;
  /**
   * Opens an empty store.
   *
   * @param folder is there and empty.
   * @param items all that will ever be set.
   */
  readonly open: (folder: string, items: readonly Item[]) => MaybePromise<OpenPeer>;
}

/** A store that is open. */
export interface OpenPeer {
  readonly set: (item: Item) => MaybePromise<unknown>;
  readonly get: (item: Item) => MaybePromise<Uint8Array | Float32Array | undefined>;
  /** Absent where there is nothing like it. */
  readonly delete?: (item: Item) => MaybePromise<unknown>;
  /** Resolves when all that was set is written. Absent where `set` says so itself. */
  readonly flush?: () => MaybePromise<unknown>;
  readonly close: () => MaybePromise<unknown>;
}
