import { createHash } from "node:crypto";
import type {
  AcquireOptions,
  Lock,
  LockProvider,
} from "../../../src/coordination/lock_provider.ts";
import { encodeKey } from "../../../src/entry/frame.ts";
import type { OperationOptions } from "../../../src/types.ts";
import { type LockHost, LockStore } from "./lock_store.ts";
import type { HeldLock } from "./lock_table.ts";
import { readUptime } from "./uptime.ts";

/** Runs an operation as one of the backend's: refused when that is closed, given up with the signal. */
export type RunLocking = <T>(
  options: OperationOptions | undefined,
  operate: () => Promise<T>,
) => Promise<T>;

/** What {@linkcode FileLocks} needs. */
export interface FileLocksOptions {
  readonly name: string;
  readonly host: LockHost;
  readonly run: RunLocking;
  /** Milliseconds since the machine was started, `undefined` where that cannot be told. @default that of /proc */
  readonly uptime?: () => number | undefined;
}

/** How many locks of others are watched for the end of their lease. */
const MOST_WATCHED = 1024;

/**
 * Locks in the directory of a log, for all processes of this machine.
 *
 * A lock ends with its lease, or at once when its owner's process is dead. A
 * lease is measured from the start of the machine, so that clocks may be set;
 * where that cannot be told, from the epoch, and by how long this process has
 * seen it unchanged.
 */
export class FileLocks implements LockProvider {
  readonly name: string;
  readonly #host: LockHost;
  readonly #store: LockStore;
  readonly #run: RunLocking;
  readonly #uptime: () => number | undefined;
  readonly #watched = new Map<string, { readonly lock: HeldLock; readonly since: number }>();

  constructor({ name, host, run, uptime = readUptime }: FileLocksOptions) {
    this.name = name;
    this.#host = host;
    this.#store = new LockStore(host);
    this.#run = run;
    this.#uptime = uptime;
  }

  /** Takes a lock if it is free. */
  async acquire(name: string, { leaseMs, signal }: AcquireOptions): Promise<Lock | undefined> {
    assertLease(name, leaseMs);
    const digest = digestOf(name);
    const lock = await this.#run({ ...(signal && { signal }) }, async () => {
      // A signal that ends it in the same turn finds nothing taken.
      await Promise.resolve();
      const fence = await this.#take(digest, leaseMs, signal);
      return fence === undefined ? undefined : new FileLock(name, fence, {
        renew: (newLeaseMs, options) => this.#renew(digest, fence, newLeaseMs, options),
        release: (options) => this.#release(digest, fence, options),
      });
    });
    if (lock === undefined || !signal?.aborted) return lock;
    await lock.release();
    throw signal.reason;
  }

  async #take(
    digest: string,
    leaseMs: number,
    signal: AbortSignal | undefined,
  ): Promise<number | undefined> {
    let taken: number | undefined;
    await this.#store.update((table) => {
      const isOver = this.#judge();
      const found = table.locks.get(digest);
      if (found !== undefined && !isOver(digest, found)) return undefined;
      for (const [other, lock] of table.locks) if (isOver(other, lock)) table.locks.delete(other);
      // Where the table was lost, time makes numbers that were not given yet.
      taken = Math.max(table.fence + 1, Math.floor(this.#host.core.clock.now()));
      table.locks.set(digest, this.#held(taken, leaseMs));
      return taken;
    }, signal);
    return taken;
  }

  #renew(
    digest: string,
    fence: number,
    leaseMs: number,
    options: OperationOptions | undefined,
  ): Promise<boolean> {
    return this.#run(options, async () => {
      let isRenewed = false;
      await this.#store.update((table) => {
        const found = table.locks.get(digest);
        if (!this.#isOwn(found, fence) || this.#judge()(digest, found)) return undefined;
        table.locks.set(digest, this.#held(fence, leaseMs));
        isRenewed = true;
        return table.fence;
      }, options?.signal);
      return isRenewed;
    });
  }

  #release(
    digest: string,
    fence: number,
    options: OperationOptions | undefined,
  ): Promise<boolean> {
    return this.#run(options, async () => {
      let wasHeld = false;
      await this.#store.update((table) => {
        const found = table.locks.get(digest);
        if (!this.#isOwn(found, fence)) return undefined;
        wasHeld = !this.#judge()(digest, found);
        table.locks.delete(digest);
        return table.fence;
      }, options?.signal);
      return wasHeld;
    });
  }

  #held(fence: number, leaseMs: number): HeldLock {
    const { clock, witness } = this.#host.core;
    const uptime = this.#uptime();
    return {
      fence,
      leaseMs,
      endsAt: (uptime ?? clock.now()) + leaseMs,
      isUptime: uptime !== undefined,
      owner: witness.self,
    };
  }

  #isOwn(lock: HeldLock | undefined, fence: number): lock is HeldLock {
    return lock?.fence === fence && lock.owner.token === this.#host.core.witness.self.token;
  }

  /** Makes what tells, as of now, whether a lock is free again: its lease is over, or its owner dead. */
  #judge(): (digest: string, lock: HeldLock) => boolean {
    const { clock, witness } = this.#host.core;
    const [uptime, time] = [this.#uptime(), clock.now()];
    const dead = new Map<string, boolean>();
    return (digest, lock) => {
      const now = lock.isUptime ? uptime : time;
      if (now !== undefined && now >= lock.endsAt) return true;
      const { token } = lock.owner;
      if (!dead.has(token)) dead.set(token, witness.isKnownDead(lock.owner));
      if (dead.get(token)) return true;
      return !(lock.isUptime && now !== undefined) && this.#hasWatchedFor(digest, lock);
    };
  }

  /** Whether this process has seen a lock unchanged for the length of its lease. */
  #hasWatchedFor(digest: string, lock: HeldLock): boolean {
    const { stopwatch } = this.#host.core;
    const seen = this.#watched.get(digest);
    if (seen?.lock.fence === lock.fence && seen.lock.endsAt === lock.endsAt) {
      return stopwatch() - seen.since >= lock.leaseMs;
    }
    if (this.#watched.size >= MOST_WATCHED) this.#watched.clear();
    this.#watched.set(digest, { lock, since: stopwatch() });
    return false;
  }
}

interface LockMethods {
  readonly renew: (leaseMs: number, options?: OperationOptions) => Promise<boolean>;
  readonly release: (options?: OperationOptions) => Promise<boolean>;
}

class FileLock implements Lock {
  readonly name: string;
  readonly fence: number;
  readonly #methods: LockMethods;

  constructor(name: string, fence: number, methods: LockMethods) {
    this.name = name;
    this.fence = fence;
    this.#methods = methods;
  }

  async renew(leaseMs: number, options?: OperationOptions): Promise<boolean> {
    assertLease(this.name, leaseMs);
    return await this.#methods.renew(leaseMs, options);
  }

  release(options?: OperationOptions): Promise<boolean> {
    return this.#methods.release(options);
  }
}

const UTF8 = new Uint8Array([0]);
const UTF16 = new Uint8Array([1]);

/** No two names have one digest: it says how the name is encoded. */
function digestOf(name: string): string {
  const { bytes, utf16 } = encodeKey(name);
  return createHash("sha256").update(utf16 ? UTF16 : UTF8).update(bytes).digest("hex");
}

function assertLease(name: string, leaseMs: number): void {
  if (leaseMs >= 1 && leaseMs <= Number.MAX_SAFE_INTEGER) return;
  throw new RangeError(
    `Cannot lock ${
      JSON.stringify(name.slice(0, 80))
    }: 'leaseMs' must be at least 1 and finite: current value is ${leaseMs}`,
  );
}
