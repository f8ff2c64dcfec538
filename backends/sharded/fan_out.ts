import type { OperationOptions } from "../../src/types.ts";
import type { Rendezvous } from "./rendezvous.ts";
import type { Shard } from "./shard.ts";
import { shardError, type ShardFailure } from "./shard_error.ts";

/** What one shard has to do of a batch. */
export interface Part<T> {
  /** The shard. */
  readonly shard: Shard;
  /** Its items, in the order of the batch. */
  readonly items: T[];
  /** Where in the batch each of them stands. */
  readonly places: number[];
}

/** What shards gave, and did not. */
export interface Gathered<P extends { readonly shard: Shard }, R> {
  /** What was given, and for which part. */
  readonly answers: readonly { readonly part: P; readonly answer: R }[];
  /** What was not done. */
  readonly failures: readonly ShardFailure[];
}

/** Parts a batch by the shards of its keys. */
export function partsOf<T>(
  placement: Rendezvous<Shard>,
  items: readonly T[],
  keyOf: (item: T) => string,
): Part<T>[] {
  const parts = new Map<Shard, Part<T>>();
  for (const [place, item] of items.entries()) {
    const shard = placement.shardOf(keyOf(item));
    let part = parts.get(shard);
    if (part === undefined) parts.set(shard, part = { shard, items: [], places: [] });
    part.items.push(item);
    part.places.push(place);
  }
  return [...parts.values()];
}

/** Asks shards at once, and waits for all of them. */
export async function gather<P extends { readonly shard: Shard }, R>(
  parts: readonly P[],
  ask: (part: P) => R | Promise<R>,
  keysOf?: (part: P) => readonly string[],
): Promise<Gathered<P, R>> {
  const outcomes = await Promise.allSettled(parts.map(async (part) => await ask(part)));
  const answers: { part: P; answer: R }[] = [];
  const failures: ShardFailure[] = [];
  for (const [at, outcome] of outcomes.entries()) {
    const part = parts[at]!;
    if (outcome.status === "fulfilled") answers.push({ part, answer: outcome.value });
    else {
      const { shard } = part;
      failures.push({ shard, error: outcome.reason, ...(keysOf && { keys: keysOf(part) }) });
    }
  }
  return { answers, failures };
}

/** Fails when a shard did, or with the signal's reason. */
export function assertAll(
  backend: string,
  action: string,
  { failures }: { readonly failures: readonly ShardFailure[] },
  options?: OperationOptions,
): void {
  if (failures.length === 0) return;
  options?.signal?.throwIfAborted();
  throw shardError(backend, action, failures);
}
