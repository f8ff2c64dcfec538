import { CacheError, isCacheError } from "../../src/errors.ts";
import type { Shard } from "./shard.ts";

/** What one shard did not do. */
export interface ShardFailure {
  /** The shard. */
  readonly shard: Shard;
  /** Why. */
  readonly error: unknown;
  /** The keys concerned, where it was asked for some. */
  readonly keys?: readonly string[];
}

/** Makes one error of what several shards did not do; their own errors are its cause. */
export function shardError(
  backend: string,
  action: string,
  failures: readonly ShardFailure[],
): CacheError {
  const errors = failures.map(({ error }) => error);
  const [first] = errors;
  const code = isCacheError(first) && errors.every((error) => isCacheError(error, first.code))
    ? first.code
    : "backend";
  const names = failures.map(({ shard }) => `"${shard.id}"`).join(", ");
  return new CacheError(code, `Cannot ${action} of ${backend}: failed in ${names}`, {
    backend,
    keys: failures.every(({ keys }) => keys !== undefined)
      ? failures.flatMap(({ keys }) => keys!)
      : undefined,
    cause: errors.length === 1 ? first : new AggregateError(errors),
  });
}
