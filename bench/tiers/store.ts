import type { MaybePromise } from "../../src/maybe_promise.ts";
import type { Size } from "./values.ts";

/** A store that is measured: a tier of ours, or what is under it. */
export interface Store {
  readonly set: (key: string, value: Uint8Array) => MaybePromise<unknown>;
  readonly get: (key: string) => MaybePromise<Uint8Array | undefined>;
  readonly delete: (key: string) => MaybePromise<unknown>;
  /** Reads many in one call, where there is such a call. */
  readonly getMany?: (keys: readonly string[]) => Promise<readonly unknown[]>;
  /** Writes a value that comes in chunks, where that can be done without holding it whole. */
  readonly setStream?: (key: string, value: ReadableStream<Uint8Array>) => Promise<unknown>;
  /** Reads a value in chunks. */
  readonly getStream?: (key: string) => Promise<ReadableStream<Uint8Array>>;
  readonly close: () => MaybePromise<unknown>;
}

/** A way to open a store. */
export interface StoreSource {
  readonly name: string;
  /** The name of the one that shows the least this can cost; absent for that one itself. */
  readonly floor?: string;
  /** Opens it, empty, with nothing that another one has written. */
  readonly open: () => MaybePromise<Store>;
}

/** A kind of tier: what takes turns. */
export interface TierKind {
  /** The first is the floor. */
  readonly sources: readonly StoreSource[];
  /** The sizes of values that make sense here. */
  readonly sizes: readonly Size[];
  /** Calls that are timed together, since one is shorter than the timer can tell. */
  readonly callsPerSample: number;
  /** Ends what it needs. */
  readonly close: () => MaybePromise<unknown>;
}

/** What opens a kind, or says what it is short of. */
export type OpenTierKind = () => Promise<TierKind | { readonly missing: string }>;
