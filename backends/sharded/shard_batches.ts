import type { CacheEntry } from "../../src/entry/entry.ts";
import type {
  BackendContext,
  BackendStats,
  CacheBackend,
  OperationOptions,
} from "../../src/types.ts";
import { assertAll, gather, type Gathered, partsOf } from "./fan_out.ts";
import type { Rendezvous } from "./rendezvous.ts";
import type { Shard } from "./shard.ts";
import { shardError } from "./shard_error.ts";
import { ShardWatch } from "./shard_watch.ts";
import { sumOfStats } from "./sum_of_stats.ts";

/** What the batches of a sharded backend need to know of it. */
export interface ShardBatchesParts {
  /** Its name. */
  readonly name: string;
  /** The shards. */
  readonly shards: readonly Shard[];
  /** Where keys are. */
  readonly placement: Rendezvous<Shard>;
  /** Milliseconds that an operation waits for one shard. */
  readonly shardDeadline: number;
  /** Clock and listener. */
  readonly context: BackendContext;
}

/** Does what concerns several shards, in all of them at once. */
export class ShardBatches {
  readonly #parts: ShardBatchesParts;
  readonly #watches: ReadonlyMap<Shard, ShardWatch>;

  constructor(parts: ShardBatchesParts) {
    const { shards, shardDeadline, context } = parts;
    this.#parts = parts;
    this.#watches = new Map(
      shards.map((shard) => [shard, new ShardWatch(shard, shardDeadline, context)]),
    );
  }

  /** Does something that concerns one shard. */
  async one<T>(
    operation: string,
    key: string,
    options: OperationOptions | undefined,
    ask: (backend: CacheBackend, options: OperationOptions) => Promise<T>,
  ): Promise<T> {
    const shard = this.#parts.placement.shardOf(key);
    return await this.#ask(operation, shard, options, ask);
  }

  /** Asks shards that are down no more. */
  end(): void {
    for (const watch of this.#watches.values()) watch.end();
  }

  /** Reads many. What could not be read is a miss; rejects when nothing could. */
  async read(
    keys: readonly string[],
    options: OperationOptions | undefined,
  ): Promise<(CacheEntry | undefined)[]> {
    const outcome = await gather(
      partsOf(this.#parts.placement, keys, itself),
      ({ shard, items }) =>
        this.#ask("read", shard, options, (backend, own) => backend.getMany!(items, own)),
    );
    this.#tolerate("read entries", outcome, options);
    const entries = new Array<CacheEntry | undefined>(keys.length).fill(undefined);
    for (const { part: { places }, answer } of outcome.answers) {
      for (const [at, place] of places.entries()) entries[place] = answer[at];
    }
    return entries;
  }

  /** Writes many. Rejects with the keys for which it failed. */
  async write<R>(
    entries: readonly CacheEntry[],
    options: OperationOptions | undefined,
    write: (
      backend: CacheBackend,
      items: readonly CacheEntry[],
      options: OperationOptions,
    ) => Promise<R[]>,
  ): Promise<R[]> {
    const { name, placement } = this.#parts;
    const outcome = await gather(
      partsOf(placement, entries, keyOf),
      ({ shard, items }) =>
        this.#ask("write", shard, options, (backend, own) => write(backend, items, own)),
      ({ items }) => items.map(keyOf),
    );
    assertAll(name, "write entries", outcome, options);
    const outcomes = new Array<R>(entries.length);
    for (const { part: { places }, answer } of outcome.answers) {
      for (const [at, place] of places.entries()) outcomes[place] = answer[at]!;
    }
    return outcomes;
  }

  /** Removes many. Rejects with the keys for which it failed. @returns how many there were. */
  async remove(
    keys: readonly string[],
    options: OperationOptions | undefined,
    remove: (
      backend: CacheBackend,
      items: readonly string[],
      options: OperationOptions,
    ) => Promise<number>,
  ): Promise<number> {
    const { name, placement } = this.#parts;
    const outcome = await gather(
      partsOf(placement, keys, itself),
      ({ shard, items }) =>
        this.#ask("delete", shard, options, (backend, own) => remove(backend, items, own)),
      ({ items }) => items,
    );
    assertAll(name, "delete entries", outcome, options);
    return outcome.answers.reduce((removed, { answer }) => removed + answer, 0);
  }

  /** Asks every shard. Rejects when one failed. */
  async each<R>(
    action: string,
    ask: (shard: Shard) => R | Promise<R>,
    options?: OperationOptions,
  ): Promise<R[]> {
    const { name, shards } = this.#parts;
    const outcome = await gather(shards.map(alone), ({ shard }) => ask(shard));
    assertAll(name, action, outcome, options);
    return outcome.answers.map(({ answer }) => answer);
  }

  /** Adds up what the shards report. What one that failed holds is not counted; rejects when all did. */
  async stats(): Promise<BackendStats> {
    const action = "read the statistics";
    const outcome = await gather(
      this.#parts.shards.map(alone),
      ({ shard }) => this.#ask(action, shard, undefined, (backend) => backend.getStats()),
    );
    this.#tolerate(action, outcome, undefined);
    return sumOfStats(outcome.answers.map(({ answer }) => answer));
  }

  async #ask<T>(
    operation: string,
    shard: Shard,
    options: OperationOptions | undefined,
    ask: (backend: CacheBackend, options: OperationOptions) => Promise<T>,
  ): Promise<T> {
    return await this.#watches.get(shard)!.run(
      operation,
      (own) => ask(shard.backend, own),
      options,
    );
  }

  /** Reports that some shards failed; rejects when all did. */
  #tolerate<P extends { readonly shard: Shard }>(
    action: string,
    outcome: Gathered<P, unknown>,
    options: OperationOptions | undefined,
  ): void {
    options?.signal?.throwIfAborted();
    const { answers, failures } = outcome;
    if (failures.length === 0) return;
    const { name, context } = this.#parts;
    const error = shardError(name, action, failures);
    if (answers.length === 0) throw error;
    context.report({ kind: "error", error });
  }
}

function alone(shard: Shard): { readonly shard: Shard } {
  return { shard };
}

function itself(key: string): string {
  return key;
}

function keyOf({ key }: CacheEntry): string {
  return key;
}
