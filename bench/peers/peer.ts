import type { MaybePromise } from "../../src/maybe_promise.ts";

/** Values live an hour, in milliseconds. */
export const TTL_MS = 3_600_000;

/** More entries than a bench stores. */
export const MAX_ENTRIES = 10_000;

/** A cache in memory that is measured. */
export interface Peer {
  readonly name: string;
  /** Opens it, empty, as its README says, with room for {@linkcode MAX_ENTRIES} that live for {@linkcode TTL_MS}. */
  readonly open: () => MaybePromise<OpenPeer>;
}

/** One that is open; absent is what it has not got. */
export interface OpenPeer {
  readonly get?: (key: string) => MaybePromise<unknown>;
  readonly set?: (key: string, value: unknown) => MaybePromise<unknown>;
  readonly getOrSet?: (key: string, load: () => Promise<unknown>) => MaybePromise<unknown>;
  readonly close?: () => MaybePromise<unknown>;
}
