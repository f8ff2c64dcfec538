import type { AcquireOptions, Lock, LockProvider } from "../../src/coordination/lock_provider.ts";
import { CacheError } from "../../src/errors.ts";
import type { Clock, OperationOptions } from "../../src/types.ts";
import { abortable } from "../_abortable.ts";
import type { Conditions } from "./conditions.ts";
import type { ObjectNames } from "./object_names.ts";
import type { ObjectCondition, ObjectStore, StoredObject } from "./object_store.ts";
import type { Records } from "./records.ts";
import type { Requests } from "./requests.ts";
import { storeFailure } from "./store_failure.ts";

/*
 * A lock is an object that is written only over the one that was looked at:
 *
 *   { "token": "…", "fence": 1700000000000123, "leaseMs": 60000 }
 *
 * It is free when the token is empty, or when the lease has passed since the
 * object was written. Both times are the store's, from one answer, so that the
 * clocks of owners do not matter. They tell whole seconds: a lease that is over
 * may be noticed up to two seconds later, and never before. The object stays
 * when the lock is free, for the sake of the fencing number, which is the time
 * in microseconds or one more than the last.
 */

/** What locks need. */
export interface ObjectLocksParts {
  /** Names the backend in errors. */
  readonly name: string;
  /** The one source of time. */
  readonly clock: Clock;
  /** The store. */
  readonly store: ObjectStore;
  /** Names of objects. */
  readonly names: ObjectNames;
  /** Sends requests. */
  readonly requests: Requests;
  /** Reads objects. */
  readonly records: Records;
  /** Tells how the store's conditions are used, `undefined` when it has none. */
  readonly conditions: (signal: AbortSignal | undefined) => Promise<Conditions | undefined>;
  /** Runs an operation, unless the backend is closed. */
  readonly run: <T>(
    options: OperationOptions | undefined,
    operate: () => Promise<T>,
  ) => Promise<T>;
}

interface LockRecord {
  readonly token: string;
  readonly fence: number;
  readonly leaseMs: number;
}

/** Times of answers tell whole seconds. */
const GRANULARITY_MS = 1000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Locks by conditional writes. */
export class ObjectLocks implements LockProvider {
  readonly name: string;
  readonly #parts: ObjectLocksParts;

  constructor(parts: ObjectLocksParts) {
    this.name = parts.name;
    this.#parts = parts;
  }

  /** Takes a lock if it is free. */
  acquire(name: string, { leaseMs, signal }: AcquireOptions): Promise<Lock | undefined> {
    return this.#run(name, { signal }, async () => {
      checkLease(name, leaseMs);
      const conditions = await this.#conditions(signal);
      const object = await this.#parts.names.lock(name);
      const held = await this.#parts.records.read(object, signal);
      const last = held === undefined ? undefined : parse(held.bytes);
      if (held !== undefined && last !== undefined && this.#isHeld(last, held)) return undefined;
      const record = {
        token: crypto.randomUUID(),
        fence: Math.max(Math.floor(this.#parts.clock.now() * 1000), (last?.fence ?? 0) + 1),
        leaseMs,
      };
      const lock = new ObjectLock(name, record, object, conditions, this.#parts);
      signal?.throwIfAborted();
      const taking = lock.take(held === undefined ? "absent" : { tag: held.tag });
      try {
        return await abortable(taking, signal) ? lock : undefined;
      } catch (error) {
        // The store may have given it all the same. What cannot be freed ends with its lease.
        taking.catch(() => {}).then(() => lock.release()).catch(() => {});
        throw error;
      }
    });
  }

  async #conditions(signal: AbortSignal | undefined): Promise<Conditions> {
    const conditions = await this.#parts.conditions(signal);
    if (conditions !== undefined) return conditions;
    throw new CacheError(
      "unavailable",
      `Cannot lock in ${this.#parts.store.label}: the store ignores conditions on writes: take locks from another tier`,
      { backend: this.name },
    );
  }

  #isHeld({ token, leaseMs }: LockRecord, { modifiedAt, serverTime }: StoredObject): boolean {
    if (token === "") return false;
    return (serverTime ?? this.#parts.clock.now()) - modifiedAt < leaseMs + GRANULARITY_MS;
  }

  #run<T>(name: string, options: OperationOptions, operate: () => Promise<T>): Promise<T> {
    return this.#parts.run(options, () => guarded(this.#parts, name, options, operate));
  }
}

class ObjectLock implements Lock {
  readonly name: string;
  readonly fence: number;
  readonly #object: string;
  readonly #token: string;
  readonly #conditions: Conditions;
  readonly #parts: ObjectLocksParts;
  #leaseMs: number;
  #tag: string | undefined;

  constructor(
    name: string,
    { token, fence, leaseMs }: LockRecord,
    object: string,
    conditions: Conditions,
    parts: ObjectLocksParts,
  ) {
    this.name = name;
    this.fence = fence;
    this.#object = object;
    this.#token = token;
    this.#leaseMs = leaseMs;
    this.#conditions = conditions;
    this.#parts = parts;
  }

  /** Writes the lock as held over what was looked at. */
  async take(over: ObjectCondition): Promise<boolean> {
    const condition = over === "absent" ? over : { tag: this.#conditions.tag(over.tag) };
    this.#tag = await this.#put(this.#token, condition, undefined);
    return this.#tag !== undefined;
  }

  renew(leaseMs: number, options?: OperationOptions): Promise<boolean> {
    return this.#run(options, async () => {
      checkLease(this.name, leaseMs);
      const tag = await this.#ownTag(options?.signal);
      if (tag === undefined) return false;
      this.#leaseMs = leaseMs;
      this.#tag = await this.#put(this.#token, { tag: this.#conditions.tag(tag) }, options?.signal);
      return this.#tag !== undefined;
    });
  }

  release(options?: OperationOptions): Promise<boolean> {
    return this.#run(options, async () => {
      const tag = await this.#ownTag(options?.signal);
      this.#tag = undefined;
      if (tag === undefined) return false;
      const freed = await this.#put("", { tag: this.#conditions.tag(tag) }, options?.signal);
      return freed !== undefined;
    });
  }

  /** The tag under which the lock is still ours, where that is not known from the last write. */
  async #ownTag(signal: AbortSignal | undefined): Promise<string | undefined> {
    if (this.#tag !== undefined) return this.#tag;
    const held = await this.#parts.records.read(this.#object, signal);
    return held !== undefined && parse(held.bytes)?.token === this.#token ? held.tag : undefined;
  }

  /** Writes a state of the lock. @returns its tag, `undefined` when another has it by now. */
  async #put(
    token: string,
    condition: ObjectCondition,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const { store, requests, records } = this.#parts;
    const bytes = encoder.encode(
      JSON.stringify({
        token,
        fence: this.fence,
        leaseMs: this.#leaseMs,
        turn: crypto.randomUUID(),
      }),
    );
    let attempts = 0;
    const put = await requests.write(signal, (own) => {
      attempts++;
      return store.put(this.#object, bytes, { signal: own, metadata: "lock", condition });
    });
    if (put !== "conflict") return put;
    if (attempts === 1) return undefined;
    // An attempt whose answer was lost may have come through.
    const held = await records.read(this.#object, signal);
    return held !== undefined && isSame(held.bytes, bytes) ? held.tag : undefined;
  }

  #run<T>(options: OperationOptions | undefined, operate: () => Promise<T>): Promise<T> {
    return this.#parts.run(options, () => guarded(this.#parts, this.name, options, operate));
  }
}

/** Makes named errors of what comes of requests. */
async function guarded<T>(
  { name: backend, store }: ObjectLocksParts,
  key: string,
  options: OperationOptions | undefined,
  operate: () => Promise<T>,
): Promise<T> {
  try {
    return await abortable(operate(), options?.signal);
  } catch (error) {
    if (options?.signal?.aborted === true || error instanceof RangeError) throw error;
    throw storeFailure(error, store, { backend, action: `Cannot lock in ${store.label}`, key });
  }
}

function parse(bytes: Uint8Array): LockRecord | undefined {
  try {
    const { token, fence, leaseMs } = JSON.parse(decoder.decode(bytes)) as Partial<LockRecord>;
    return typeof token === "string" && Number.isSafeInteger(fence) && Number.isFinite(leaseMs)
      ? { token, fence: fence as number, leaseMs: leaseMs as number }
      : undefined;
  } catch {
    // What is no lock is nobody's.
    return undefined;
  }
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}

function checkLease(name: string, leaseMs: number): void {
  if (!(leaseMs >= 1) || leaseMs > Number.MAX_SAFE_INTEGER) {
    throw new RangeError(
      `Cannot lock ${
        JSON.stringify(name.slice(0, 80))
      }: 'leaseMs' must be at least 1 and finite: current value is ${leaseMs}`,
    );
  }
}
