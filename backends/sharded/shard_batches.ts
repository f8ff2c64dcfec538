import type { CacheEntry } from "../../src/entry/entry.ts";
import { Deadlines } from "../../src/manager/deadline.ts";
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
import { sumOfStats } from "./sum_of_stats.ts";

/** What the batches of a sharded backend need to know of it. */
export interface ShardBatchesParts {
  /** Its name. */
  readonly name: string;
  /** The shards. */
  readonly shards: readonly Shard[];
  /** Where keys are. */
  readonly placement: Rendezvous<Shard>;
  /** Milliseconds that a read waits for one shard. */
  readonly shardDeadline: number;
  /** Clock and listener. */
  readonly context: BackendContext;
}

/** Does what concerns several shards, in all of them at once. */
export class ShardBatches {
  readonly #parts: ShardBatchesParts;
  readonly #deadlines: ReadonlyMap<Shard, Deadlines>;

  constructor(parts: ShardBatchesParts) {
    const { shards, shardDeadline, context } = parts;
    this.#parts = parts;
    this.#deadlines = new Map(
      shards.map((shard) => [shard, new Deadlines(context.clock, shardDeadline, shard.id)]),
    );
  }

  /** Reads many. What could not be read is a miss; rejects when nothing could. */
  async read(
    keys: readonly string[],
    options: OperationOptions | undefined,
  ): Promise<(CacheEntry | undefined)[]> {
    const outcome = await gather(
      partsOf(this.#parts.placement, keys, itself),
      ({ shard, items }) =>
        this.#deadlines.get(shard)!.run(
          "read",
          (own) => shard.backend.getMany!(items, own),
          options?.signal,
        ),
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
    write: (backend: CacheBackend, items: readonly CacheEntry[]) => Promise<R[]>,
  ): Promise<R[]> {
    const { name, placement } = this.#parts;
    const outcome = await gather(
      partsOf(placement, entries, keyOf),
      ({ shard, items }) => write(shard.backend, items),
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
    remove: (backend: CacheBackend, items: readonly string[]) => Promise<number>,
  ): Promise<number> {
    const { name, placement } = this.#parts;
    const outcome = await gather(
      partsOf(placement, keys, itself),
      ({ shard, items }) => remove(shard.backend, items),
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
      ({ shard }) => this.#deadlines.get(shard)!.run(action, () => shard.backend.getStats()),
    );
    this.#tolerate(action, outcome, undefined);
    return sumOfStats(outcome.answers.map(({ answer }) => answer));
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
