import { Announcer } from "../coordination/announcer.ts";
import type { Invalidation, InvalidationBus } from "../coordination/invalidation_bus.ts";
import { LoadLocks } from "../coordination/load_locks.ts";
import { Recovery } from "../coordination/recovery.ts";
import type { CacheEntry } from "../entry/entry.ts";
import { SKEW_MS, stampAt, type VersionClock } from "../entry/version.ts";
import type { EventHub } from "../observability/events.ts";
import type { CoordinationStats } from "../observability/stats.ts";
import type { Clock } from "../types.ts";
import type { WriteFormat } from "../entry/content.ts";
import type { Background } from "./background.ts";
import { ClearLog } from "./clear_log.ts";
import type { CoordinationOptions } from "./coordination_options.ts";
import { Deadlines } from "./deadline.ts";
import type { Fences } from "./fences.ts";
import { InvalidationReceiver } from "./invalidation_receiver.ts";
import type { Sharing } from "./shared_tier.ts";
import type { TagIndex } from "./tag_index.ts";
import type { Tier } from "./tier.ts";

/** A change that every tier was asked to make. */
export interface Change {
  /** As the tiers know it. */
  readonly key: string;
  /** What was set; `undefined` for a delete, and for a value that was a stream. */
  readonly entry: CacheEntry | undefined;
  /** When it was said. */
  readonly version: number;
  /** What others are told. @default that the key has changed */
  readonly announcement?: Invalidation | undefined;
}

/** A value that was set, or a key that was deleted. */
export type EndedChange = CacheEntry | Pick<Change, "key" | "version">;

/** What coordination is made of. */
export interface CoordinationParts {
  readonly tiers: readonly Tier[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly events: EventHub;
  readonly versions: VersionClock;
  readonly format: WriteFormat;
  readonly fences: Fences;
  readonly tags: TagIndex;
  readonly background: Background;
  readonly sharing: Sharing;
  readonly coordination: CoordinationOptions;
}

/** Milliseconds that a bus may take to close. */
const CLOSE_DEADLINE_MS = 5000;

/** Sees to it that what has changed comes to every tier and to every other process. */
export class Coordination {
  readonly #parts: CoordinationParts;
  readonly #shared: Tier | undefined;
  readonly #bus: InvalidationBus | undefined;
  readonly #recovery: Recovery;
  /** What lets one process load a key; `undefined` where each loads for itself. */
  readonly loadLocks: LoadLocks | undefined;
  readonly #log: ClearLog | undefined;
  readonly #announcer: Announcer | undefined;
  readonly #receiver: InvalidationReceiver | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(parts: CoordinationParts) {
    const { tiers, sharing, coordination: options, events, clock } = parts;
    const { bus, place, locks: provider } = sharing;
    if (provider !== undefined) {
      this.loadLocks = new LoadLocks({ ...parts, provider, lease: options.lockLease });
    }
    this.#parts = parts;
    this.#bus = bus;
    this.#shared = tiers[place];
    if (bus !== undefined && this.#shared?.isVersioned) {
      this.#log = new ClearLog({ ...parts, tier: this.#shared });
    }
    this.#recovery = new Recovery({
      ...parts,
      shared: this.#shared,
      notes: this.#log,
      announce: (invalidation) => this.#announcer?.tell(invalidation),
      period: options.recoveryPeriod,
      limits: { maxIntents: options.maxIntents, maxBytes: options.maxIntentBytes },
    });
    for (const tier of tiers) {
      tier.onUp(() => this.#recovery.wake());
      tier.repairs = this.#recovery;
    }
    if (bus === undefined) return;
    const onError = (error: unknown): void => events.emit("busError", { bus: bus.name, error });
    this.#announcer = new Announcer({ bus, clock, period: options.recoveryPeriod, onError });
    this.#receiver = new InvalidationReceiver({
      ...parts,
      faster: place < 0 ? tiers : tiers.slice(0, place),
      recovery: this.#recovery,
      bus: bus.name,
      period: options.recoveryPeriod,
      whenMissed: options.whenMissed,
      onChanged: (key) => this.loadLocks?.changed(key),
      onConnected: () => this.#announcer?.retry(),
    });
    this.#unsubscribe = bus.subscribe(this.#receiver);
  }

  /** Waits for changes to end in every tier, and sees to what failed and to others. */
  async ended<T>(changes: readonly EndedChange[], ends: readonly Promise<T>[]): Promise<T[]> {
    const results = await Promise.allSettled(ends);
    for (const [at, change] of changes.entries()) {
      const { key, version } = change;
      // What a tier knows to be outdated is not to be brought to the others.
      const entry = "tags" in change && !isOutdated(results, at) ? change : undefined;
      this.changed({ key, version, entry });
    }
    return results.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    });
  }

  /** A write or delete has ended in every tier, or was given up by its caller. */
  changed({ key, entry, version, announcement }: Change): void {
    const told = announcement ?? { kind: "key", key, version };
    const isShared = this.#shared === undefined || !this.#shared.distrusts(key);
    if (isShared) this.#announcer?.tell(told);
    if (!this.#parts.tiers.some((tier) => tier.distrusts(key))) {
      this.#recovery.settle(key, version);
      return;
    }
    const kind = entry === undefined ? "delete" : "set";
    const left = isShared ? undefined : told;
    this.#recovery.put({ kind, key, entry, version, announcement: left });
  }

  /**
   * A clear is about to begin. It is noted before it is made: who brings
   * something at the same time looks for it afterwards.
   *
   * @returns whether that could be done; nothing where nobody has to know.
   */
  clearing(pattern: string | undefined, version: number): Promise<boolean> | undefined {
    this.#recovery.cleared(pattern, version);
    return this.#log?.note(pattern, version);
  }

  /** A clear has ended in every tier. */
  cleared(pattern: string | undefined, begunAs: number, wasNoted: boolean): void {
    const { clock, versions } = this.#parts;
    const isShared = this.#shared === undefined || !this.#shared.missedClear(pattern);
    // One that took long has removed what is newer than it, marks of deletes among it. So it counts
    // as one that ends now and that nobody has noted: it is noted, and made again by versions. What
    // was meant before, and waits elsewhere to be replayed, does not come back then.
    const isLate = this.#log !== undefined && isShared && stampAt(clock.now()) > begunAs;
    const version = isLate ? versions.next(SKEW_MS) : begunAs;
    const isNoted = wasNoted && !isLate;
    const told: Invalidation = { kind: "clear", pattern, version };
    if (isShared) this.#announcer?.tell(told);
    if (isNoted && !this.#parts.tiers.some((tier) => tier.missedClear(pattern))) return;
    const announcement = isShared && isNoted ? undefined : told;
    this.#recovery.put({ kind: "clear", pattern, version, isNoted, announcement });
  }

  /** Resolves when others have been told what they can be, and what was heard is done. */
  async idle(): Promise<void> {
    await this.#announcer?.idle();
    await this.#receiver?.idle();
  }

  /** What was done. */
  get stats(): CoordinationStats {
    return {
      ...this.#recovery.stats,
      isConnected: this.#receiver?.isConnected ?? false,
      heard: this.#receiver?.heard ?? 0,
      told: this.#announcer?.told ?? 0,
      untold: this.#announcer?.untold ?? 0,
    };
  }

  /** Brings the tiers and others what can be brought now, tells of the rest, and hears nothing more. */
  async close(): Promise<void> {
    this.#unsubscribe?.();
    await this.#receiver?.end();
    await this.#recovery.end();
    await this.#announcer?.end();
    const { sharing, clock, events } = this.#parts;
    const bus = this.#bus;
    if (bus === undefined || !sharing.ownsBus) return;
    try {
      await new Deadlines(clock, CLOSE_DEADLINE_MS, bus.name).run("close", () => bus.close());
    } catch (error) {
      events.emit("busError", { bus: bus.name, error });
    }
  }
}

/** Whether a tier has something newer than one of several changes; of a batch a tier answers a list. */
function isOutdated(results: readonly PromiseSettledResult<unknown>[], at: number): boolean {
  return results.some((result) => {
    if (result.status === "rejected") return false;
    return (Array.isArray(result.value) ? result.value[at] : result.value) === "outdated";
  });
}
