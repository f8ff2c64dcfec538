import type { RecoveryTier, RepairOutcome } from "../coordination/recovery_tier.ts";
import type { CacheEntry } from "../entry/entry.ts";
import type { TierOutcome } from "../observability/events.ts";
import type { TierStats } from "../observability/stats.ts";
import type { Placement } from "../eviction/eviction_policy.ts";
import type {
  BackendSetOptions,
  BackendStats,
  CacheBackend,
  OperationOptions,
  VersionedOutcome,
} from "../types.ts";
import { BackendWriter } from "./backend_writer.ts";
import { isNoteOfClears } from "./clear_log.ts";
import { isReserved } from "./scope.ts";
import { admits, capped, type TierLimits } from "./tier_limits.ts";
import type { Superseded } from "./tier_guard.ts";
import { type TierContext, TierReads } from "./tier_reads.ts";
import { TierStreams } from "./tier_streams.ts";

/** How an entry came to be written. */
type Occasion = "writes" | "promotions";

/** What a write did in a tier. */
type WriteOutcome = TierOutcome["outcome"];

/** What a promotion did; it is left out where it came too late. */
type PromotionOutcome = WriteOutcome | Superseded;

/**
 * One backend in its place among the tiers, and the only caller of it. Reads
 * never fail: what goes wrong is counted, told as an event, and a miss. Writes
 * give an outcome. A key whose write failed here is not read here until a
 * later write or delete has succeeded: an older value may stand under it.
 */
export class Tier extends TierReads implements RecoveryTier {
  /** What moves streams in and out. */
  readonly streams: TierStreams;
  readonly #writer: BackendWriter;

  constructor(backend: CacheBackend, limits: TierLimits, context: TierContext) {
    super(backend, limits, context);
    const writer = new BackendWriter(backend);
    const { clock, guard, counters } = this;
    this.#writer = writer;
    this.streams = new TierStreams({ tier: this, backend, limits, clock, guard, counters, writer });
  }

  /**
   * Copies an entry from a slower tier at once: only for a tier that
   * {@linkcode Tier.isInProcess}, and a live entry whose key is quiet.
   */
  promoteNow(entry: CacheEntry): void {
    if (!this.#takes(entry)) return;
    this.#putNow(entry, "promotions", (error) => this.guard.failed("write", entry.key, error));
  }

  /**
   * Writes one entry at once: only for a tier that {@linkcode Tier.isInProcess},
   * and a key that is quiet.
   *
   * @returns whether it is stored; `undefined` where {@linkcode Tier.set} has to see to it.
   */
  setNow(entry: CacheEntry): Promise<boolean> | undefined {
    if (!this.#takes(entry)) return undefined;
    return this.#putNow(entry, "writes", (error) => this.#distrust("write", entry.key, error));
  }

  /** Writes one entry as its caller's latest word on the key. */
  async set(
    entry: CacheEntry,
    signal?: AbortSignal,
    placement?: Placement,
  ): Promise<WriteOutcome> {
    const stored = await this.guard.write(
      "write",
      [entry.key],
      (options) => this.#store(entry, placed(options, placement)),
      signal,
    );
    return stored === "superseded" ? "failed" : this.#count(stored, "writes");
  }

  /**
   * Copies an entry from a slower tier.
   *
   * @param isCurrent asked just before the copy is made, when earlier writes of the key have ended.
   * @param placement its place among the tier's entries.
   */
  async promote(
    entry: CacheEntry,
    isCurrent: () => boolean,
    placement?: Placement,
  ): Promise<PromotionOutcome> {
    const { key, expiresAt } = entry;
    if (expiresAt <= this.clock.now() || this.guard.distrust.has(key)) return "superseded";
    // Left out here, it would be distrusted for a write that changes nothing.
    if (this.guard.isDown) return "superseded";
    if (!admits(this.limits, entry)) return this.#count("declined", "promotions");
    const stored = await this.guard.write(
      "write",
      [key],
      (options) => this.#store(entry, placed(options, placement)),
      undefined,
      isCurrent,
    );
    return this.#count(stored, "promotions");
  }

  /** Writes many entries of different keys, in one request where the backend can. */
  async setMany(
    entries: readonly CacheEntry[],
    signal?: AbortSignal,
    placement?: Placement,
  ): Promise<WriteOutcome[]> {
    if (entries.length === 0) return [];
    const keys = entries.map((entry) => entry.key);
    const isBatch = !this.isInProcess && this.#writer.storesMany &&
      entries.every((entry) => admits(this.limits, entry));
    const stored = isBatch
      ? await this.guard.write("write", keys, async (options) => {
        const now = this.clock.now();
        const copies = entries.map((entry) => capped(this.limits, entry, now));
        return await this.#writer.storeMany(copies, placed(options, placement));
      }, signal)
      : await this.guard.writeEach(
        "write",
        keys,
        (at, options) => this.#store(entries[at]!, placed(options, placement)),
        signal,
      );
    if (!Array.isArray(stored)) return keys.map(() => "failed");
    return stored.map((outcome) => this.#count(outcome, "writes"));
  }

  /** Removes one entry. A failure is told, and the key not read here until it has been mended. */
  async delete(key: string, version: number, signal?: AbortSignal): Promise<boolean> {
    const removed = await this.guard.write(
      "delete",
      [key],
      (options) => this.#writer.erase(key, version, options),
      signal,
    );
    return removed === true;
  }

  /** Removes many entries, in one request where the backend can. @returns how many were there. */
  async deleteMany(
    keys: readonly string[],
    version: number,
    signal?: AbortSignal,
  ): Promise<number> {
    const backend = this.backend;
    if (this.isInProcess || !this.#writer.erasesMany) {
      const removed = await this.guard.writeEach(
        "delete",
        keys,
        (at, options) => backend.delete(keys[at]!, options),
        signal,
      );
      return removed.filter((outcome) => outcome === true).length;
    }
    const removed = await this.guard.write(
      "delete",
      keys,
      (options) => this.#writer.eraseMany(keys, version, options),
      signal,
    );
    return typeof removed === "number" ? removed : 0;
  }

  /** Removes what is held of a key unless it is newer than a version: another process has changed it. */
  async drop(key: string, version: number): Promise<void> {
    await this.guard.write<true | Superseded>(
      "delete",
      [key],
      // A newer one that stays says nothing of an earlier write that failed.
      async (options) => await this.#writer.eraseOlder(key, version, options) || "superseded",
    );
  }

  /** As {@linkcode Tier.drop}, at once: only for a tier that {@linkcode Tier.isInProcess}. */
  dropNow(key: string, version: number): void {
    const { backend, guard } = this;
    try {
      const held = backend.peek === undefined ? backend.getSync!(key) : backend.peek(key);
      if (!held || held.version > version) return;
      const order = guard.distrust.begin();
      backend.delete(key).then(
        () => guard.distrust.succeeded([key], order),
        (error) => this.#distrust("delete", key, error),
      );
    } catch (error) {
      this.#distrust("delete", key, error);
    }
  }

  /** Forgets what matches, which others may have changed: it is not read from now on. */
  async forget(pattern: string | undefined): Promise<void> {
    const { distrust } = this.guard;
    if (!this.isInProcess) distrust.clearFailed(pattern, distrust.begin());
    await this.clear(pattern);
  }

  /** As {@linkcode RecoveryTier.repair}. */
  async repair(
    key: string,
    entry: CacheEntry | undefined,
    version: number,
    isCurrent: () => boolean,
  ): Promise<RepairOutcome> {
    const outcome = await this.guard.write<VersionedOutcome | boolean>(
      entry === undefined ? "delete" : "write",
      [key],
      (options) =>
        entry === undefined
          ? this.#writer.erase(key, version, options)
          : this.#store(entry, options),
      undefined,
      () => isCurrent() && this.distrusts(key),
    );
    if (outcome === "failed" || outcome === "superseded" || outcome === "outdated") return outcome;
    return "done";
  }

  /** As {@linkcode RecoveryTier.repairClear}. First marks of tags stay: they could not be written again under a later delete. */
  async repairClear(pattern: string | undefined, version: number): Promise<boolean> {
    // Where the clear itself has ended, what has failed since is not mended by it.
    const order = this.guard.distrust.orderOfClear(pattern) ?? 0;
    const removed = await this.guard.clear(
      pattern,
      ({ signal }) => this.#writer.eraseMatching(pattern, version, { signal, keeps: isReserved }),
      undefined,
      order,
    );
    return removed !== "failed";
  }

  /** Puts a clear in its place among the writes: what has failed since is not mended by it. */
  beginClear(): number {
    return this.guard.distrust.begin();
  }

  /**
   * Removes all entries that match. Has twelve deadlines: it takes as long as there are entries.
   *
   * @param order as {@linkcode Tier.beginClear} gave it.
   */
  async clear(
    pattern: string | undefined,
    signal?: AbortSignal,
    order: number = this.beginClear(),
  ): Promise<number> {
    const removed = await this.guard.clear(
      pattern,
      ({ signal }) => this.backend.clear(pattern, { signal, keeps: isNoteOfClears }),
      signal,
      order,
    );
    return typeof removed === "number" ? removed : 0;
  }

  /** Resolves when the writes of some keys that were asked for so far have ended, or have been given up. */
  settled(keys: readonly string[]): Promise<void> {
    return this.guard.settled(keys);
  }

  /** Resolves when all writes have ended and are durable. */
  async flush(): Promise<void> {
    await this.guard.end("flush", async () => await this.backend.flush?.());
  }

  /** Drains and closes the backend. @throws {CacheError} `"timeout"` when it does not end. */
  async close(): Promise<void> {
    this.guard.stopProbing();
    await this.guard.end("close", async () => await this.backend.close?.());
  }

  /** What the tier did, and what it holds if that is asked for and the backend answers. */
  async getStats(asksBackend: boolean): Promise<TierStats> {
    const held = asksBackend
      ? await this.guard.read<BackendStats>(
        "read the statistics",
        undefined,
        () => this.backend.getStats(),
        undefined,
        {},
      )
      : {};
    return { ...held, name: this.name, ...this.counters, isDown: this.guard.isDown };
  }

  /** Stores an entry as it may live here; what stands under the key of one that is declined is older and goes. */
  async #store(entry: CacheEntry, options: BackendSetOptions): Promise<VersionedOutcome> {
    const { key, version } = entry;
    if (admits(this.limits, entry)) {
      return await this.#writer.store(capped(this.limits, entry, this.clock.now()), options);
    }
    await this.#writer.erase(key, version, options);
    return "declined";
  }

  /** Whether an entry may be written at once. */
  #takes(entry: CacheEntry): boolean {
    return admits(this.limits, entry) && !this.guard.distrust.has(entry.key);
  }

  /** Writes an entry at once. @returns whether it is stored. */
  #putNow(
    entry: CacheEntry,
    occasion: Occasion,
    failed: (error: unknown) => void,
  ): Promise<boolean> {
    const fail = (error: unknown): false => {
      failed(error);
      return false;
    };
    try {
      return this.backend.set(entry.key, capped(this.limits, entry, this.clock.now())).then(
        (stored) => this.#count(stored ? "stored" : "declined", occasion) === "stored",
        fail,
      );
    } catch (error) {
      return Promise.resolve(fail(error));
    }
  }

  /** Does not read a key any more: what was to be done to it has failed. */
  #distrust(operation: string, key: string, error: unknown): void {
    const { distrust } = this.guard;
    distrust.failed([key], distrust.begin());
    this.guard.failed(operation, key, error);
  }

  #count<O extends PromotionOutcome>(outcome: O, occasion: Occasion): O {
    if (outcome === "stored") this.counters[occasion]++;
    else if (outcome === "declined") this.counters.declined++;
    return outcome;
  }
}

/** The options of a write, and the place of what it writes. The signal of `options` may be a getter: it is not copied along with them. */
function placed(options: OperationOptions, placement: Placement | undefined): BackendSetOptions {
  if (placement === undefined) return options;
  const { signal, isGuarded } = options;
  return { signal, isGuarded, ...placement };
}
