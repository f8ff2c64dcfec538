import type { OperationOptions } from "../../src/types.ts";
import { ScriptLocks } from "../_script_locks.ts";
import type { StoredNames } from "../_stored_key.ts";
import type { RedisStore } from "./redis_store.ts";

/** Runs an operation of the backend, so that closing waits for it. */
export type RunOnStore = <T>(
  options: OperationOptions | undefined,
  operate: (store: RedisStore) => Promise<T>,
) => Promise<T>;

/** Locks in Redis, over the connection of a backend. In a cluster a lock and its number share a slot. */
export class RedisLockProvider extends ScriptLocks {
  constructor(name: string, names: StoredNames, run: RunOnStore) {
    super(name, names, (script, keys, args, options) =>
      run(options, (store) =>
        store.send(
          keys[0] as string,
          ["EVAL", script, String(keys.length), ...keys, ...args],
          { action: "Cannot lock in Redis", signal: options?.signal },
        )));
  }
}
