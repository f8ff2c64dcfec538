import { stampAt } from "../entry/version.ts";
import type { Fences } from "../manager/fences.ts";
import type { EventHub } from "../observability/events.ts";
import type { Clock } from "../types.ts";
import { testOf } from "../glob.ts";
import type { ClearNotes } from "./clear_notes.ts";
import {
  type ClearIntent,
  type Intent,
  intentId,
  keyId,
  type KeyIntent,
  withoutValue,
} from "./intent.ts";
import { type IntentLimits, IntentQueue } from "./intent_queue.ts";
import type { Invalidation } from "./invalidation_bus.ts";
import type { RecoveryTier } from "./recovery_tier.ts";

/** Intents that are replayed at once. */
const CONCURRENCY = 64;

/**
 * A value that waited longer is not brought any more, only that it was set:
 * stores remember deletes, and the log clears, for five minutes.
 */
const MAX_AGE_MS = 240_000;

/** What recovery is made of. */
export interface RecoveryParts {
  /** All tiers, fastest first. */
  readonly tiers: readonly RecoveryTier[];
  /** The tier that others read; they are told of a change when it has it. */
  readonly shared: RecoveryTier | undefined;
  /** Tell whether a key is being written. */
  readonly fences: Fences;
  /** The one source of time. */
  readonly clock: Clock;
  /** Spreads the passes of processes that lost a tier together. */
  readonly random: () => number;
  /** Takes what happens. */
  readonly events: EventHub;
  /** Where clears are noted that this process may not have been told of; `undefined` where there are no others. */
  readonly notes: ClearNotes | undefined;
  /** Tells others. */
  readonly announce: (invalidation: Invalidation) => void;
  /** The longest time between two passes, in milliseconds. */
  readonly period: number;
  /** Bounds of what is kept. */
  readonly limits: IntentLimits;
}

/** What recovery did. */
export interface RecoveryStats {
  /** Intents that wait for a tier. */
  readonly queued: number;
  /** Bytes that they take. */
  readonly queuedBytes: number;
  /** Intents that were brought where they belong. */
  readonly replayed: number;
  /** Intents that were given up. */
  readonly dropped: number;
}

/**
 * Brings the tiers what they missed. The last intent of each key is kept, and
 * replayed where the key is distrusted still: a later write that succeeded has
 * made good for it. The newest version wins, the shared tier is written before
 * others are told, and a tier that fails is left alone for the rest of a pass.
 */
export class Recovery {
  readonly #parts: RecoveryParts;
  readonly #queue: IntentQueue;
  /** Intents in whose place others have brought something newer, and up to which write the shared tier was trusted for that. */
  readonly #overruled = new WeakMap<Intent, number>();
  #meantUpTo = 0;
  #replayed = 0;
  #dropped = 0;
  #pass: Promise<void> | undefined;
  #cancelPass: (() => void) | undefined;
  #hasEnded = false;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
    this.#queue = new IntentQueue(
      parts.limits,
      (intent, reason) => this.#giveUp(intent, reason),
    );
  }

  /** Keeps what has not come to every tier. */
  put(intent: Intent): void {
    this.#meantUpTo = Math.max(this.#meantUpTo, intent.version);
    if (!this.#queue.put(intent)) return;
    const { events, period, random } = this.#parts;
    if (events.has("recoveryQueued")) events.emit("recoveryQueued", named(intent));
    this.#schedule(period * (0.75 + random() / 4));
  }

  /** What has come to every tier since is newer than what is kept of its key. */
  settle(key: string, version: number): void {
    if (this.#queue.size > 0) this.#queue.settle(key, version);
  }

  /** A clear has begun here or elsewhere: what was set before it does not come back. */
  cleared(pattern: string | undefined, version: number): void {
    this.#queue.clear(pattern, version);
  }

  /** The latest version of all that has not come to every tier at once: what is older may be wrong there. */
  get meantUpTo(): number {
    return this.#meantUpTo;
  }

  /** What the shared tier held of a key has been removed in place of what was given up. */
  mended(key: string, version: number): void {
    const { tiers, shared, announce } = this.#parts;
    for (const tier of tiers) if (tier !== shared) tier.drop(key, version);
    announce({ kind: "key", key, version });
  }

  /** What the shared tier may hold of a key, up to a version, could not be removed yet. */
  mendLater(key: string, version: number): void {
    this.put({
      kind: "delete",
      key,
      entry: undefined,
      undoesSet: true,
      version,
      announcement: { kind: "key", key, version },
    });
  }

  /** Whether a key waits to be repaired, by itself or as one of those to be cleared. */
  has(key: string): boolean {
    return this.#queue.concerns(key);
  }

  /**
   * Others have changed a key, and the shared tier has that: what is kept of
   * the key is forgotten if it is older, and the tier trusted again.
   */
  heard(key: string, version: number): void {
    const held = this.#queue.get(keyId(key));
    if (held === undefined || held.version >= version) return;
    const { shared } = this.#parts;
    if (shared !== undefined) this.#overruled.set(held, shared.trust(key));
    this.#queue.remove(held);
  }

  /** Begins a pass soon: a tier is up again, or a key is asked for. */
  wake(): void {
    if (this.#queue.size === 0 || this.#hasEnded) return;
    const { period, random } = this.#parts;
    this.#cancelPass?.();
    this.#cancelPass = undefined;
    // Those that lost a tier together do not come back to it at once.
    this.#schedule(random() * period / 8);
  }

  /** Makes a last pass. @returns how many intents could not be brought where they belong. */
  async end(): Promise<number> {
    this.#hasEnded = true;
    this.#cancelPass?.();
    await this.#pass;
    await this.#run();
    const left = this.#queue.all();
    for (const intent of left) this.#giveUp(intent, "closed");
    return left.length;
  }

  /** What was done. */
  get stats(): RecoveryStats {
    return {
      queued: this.#queue.size,
      queuedBytes: this.#queue.bytes,
      replayed: this.#replayed,
      dropped: this.#dropped,
    };
  }

  #schedule(delay: number): void {
    if (this.#hasEnded || this.#cancelPass !== undefined || this.#pass !== undefined) return;
    this.#cancelPass = this.#parts.clock.schedule(() => {
      this.#cancelPass = undefined;
      this.#pass = this.#run().finally(() => {
        this.#pass = undefined;
        const { period, random } = this.#parts;
        if (this.#queue.size > 0) this.#schedule(period * (0.75 + random() / 4));
      });
    }, delay);
  }

  async #run(): Promise<void> {
    const failed = new Set<RecoveryTier>();
    if (this.#queue.all().some(({ kind }) => kind === "set")) await this.#readClears(failed);
    const brought = (await this.#replayAll(this.#queue.all(), failed))
      .filter((intent): intent is KeyIntent => intent.kind === "set");
    if (brought.length > 0) await this.#takeBack(brought, failed);
  }

  /** Replays intents, some at once, until every tier has failed. @returns those that have come to every tier. */
  async #replayAll(intents: readonly Intent[], failed: Set<RecoveryTier>): Promise<Intent[]> {
    const { tiers } = this.#parts;
    const done: Intent[] = [];
    for (let at = 0; at < intents.length; at += CONCURRENCY) {
      if (tiers.every((tier) => failed.has(tier) || tier.isDown)) break;
      const some = intents.slice(at, at + CONCURRENCY);
      await Promise.all(some.map(async (intent) => {
        if (await this.#replay(intent, failed)) done.push(intent);
      }));
    }
    return done;
  }

  /** Takes note of the clears that others have made. */
  async #readClears(failed: Set<RecoveryTier>): Promise<void> {
    const { notes, shared } = this.#parts;
    if (notes === undefined || shared === undefined || shared.isDown) return;
    const clears = await notes.read();
    if (clears === undefined) failed.add(shared);
    for (const { pattern, version } of clears ?? []) this.#queue.clear(pattern, version);
  }

  /** Removes what was brought while somebody cleared it. */
  async #takeBack(brought: readonly KeyIntent[], failed: Set<RecoveryTier>): Promise<void> {
    if (this.#parts.notes === undefined) return;
    await this.#readClears(failed);
    const taken = brought
      .filter((intent) =>
        this.#queue.get(keyId(intent.key)) === undefined && this.#queue.isCleared(intent)
      )
      .map(withoutValue);
    for (const intent of taken) this.put(intent);
    await this.#replayAll(taken, failed);
  }

  /** @returns whether it has come to every tier. */
  async #replay(intent: Intent, failed: Set<RecoveryTier>): Promise<boolean> {
    if (this.#queue.get(intentId(intent)) !== intent) return false;
    if (intent.kind === "set" && intent.version < stampAt(this.#parts.clock.now() - MAX_AGE_MS)) {
      this.#queue.replace(intent, withoutValue(intent));
      return false;
    }
    let isWhole: boolean;
    let left = intent;
    if (intent.kind === "clear") {
      const noted = left = await this.#noted(intent, failed);
      isWhole = noted.isNoted && await this.#clear(noted, intent.isNoted, failed);
    } else isWhole = await this.#repair(intent, failed);
    const { shared, announce, events } = this.#parts;
    const isShared = shared === undefined ||
      (left.kind === "clear"
        ? left.isNoted && !shared.missedClear(left.pattern)
        : !shared.distrusts(left.key));
    if (isShared && left.announcement !== undefined) {
      announce(left.announcement);
      left = { ...left, announcement: undefined };
    }
    if (left !== intent) this.#queue.replace(intent, left);
    if (!isWhole || this.#queue.get(intentId(left)) !== left) return false;
    this.#queue.remove(left);
    this.#replayed++;
    if (events.has("recoveryReplayed")) events.emit("recoveryReplayed", named(intent));
    return true;
  }

  /** @returns whether every tier has what was meant for a key, or something newer. */
  async #repair(intent: KeyIntent, failed: Set<RecoveryTier>): Promise<boolean> {
    const { key, entry, version } = intent;
    const { tiers, shared, fences, clock } = this.#parts;
    // Like a promotion: what is written now has the last word, and its failure its own intent.
    const ticket = fences.open(key);
    try {
      const isCurrent = (): boolean =>
        ticket.isUndisturbed && this.#queue.get(keyId(key)) === intent;
      if (!isCurrent()) return false;
      const value = entry !== undefined && entry.expiresAt > clock.now() ? entry : undefined;
      // It may have come to a tier late that has been trusted since.
      if (intent.undoesSet) await Promise.all(tiers.map((tier) => tier.drop(key, version)));
      // Others may have changed since what the shared tier has got: it is not written into faster ones
      // again, but only removed from them, and comes back from there.
      const place = shared === undefined || shared.distrusts(key) ? 0 : tiers.indexOf(shared);
      const outcomes = await Promise.all(tiers.map(async (tier, at) => {
        if (!tier.distrusts(key)) return "done";
        if (tier.isDown || failed.has(tier)) return "failed";
        const left = at < place ? undefined : value;
        const outcome = await tier.repair(key, left, version, isCurrent);
        if (outcome === "failed") failed.add(tier);
        return outcome;
      }));
      if (outcomes.includes("outdated")) {
        await Promise.all(tiers.map(async (tier, at) => {
          if (outcomes[at] !== "outdated") await tier.drop(key, version);
        }));
      }
      // What others brought it meanwhile was trusted before this had failed.
      const trustedUpTo = this.#overruled.get(intent);
      if (trustedUpTo !== undefined) shared?.trust(key, trustedUpTo);
      return !outcomes.includes("failed") && !tiers.some((tier) => tier.distrusts(key));
    } finally {
      ticket.close();
    }
  }

  /** @returns whether every tier has been cleared of what is as old as the clear. */
  async #clear(
    { pattern, version }: ClearIntent,
    wasNoted: boolean,
    failed: Set<RecoveryTier>,
  ): Promise<boolean> {
    const { tiers, shared, fences } = this.#parts;
    const clear = async (tier: RecoveryTier): Promise<boolean> => {
      if (tier.isDown || failed.has(tier)) return false;
      const isCleared = await tier.repairClear(pattern, version);
      if (!isCleared) failed.add(tier);
      return isCleared;
    };
    // What came after the clear and before its note is not told by its bringer's look at the notes.
    const missed = tiers.filter((tier) =>
      tier.missedClear(pattern) || (!wasNoted && tier === shared)
    );
    const done = await Promise.all(missed.map(clear));
    if (shared?.isVersioned && missed.includes(shared)) {
      // Since then copies may have come from it of what it has lost now.
      fences.openClear(testOf(pattern), version)();
      await Promise.all(tiers.filter((tier) => !missed.includes(tier)).map(clear));
    }
    return done.every(Boolean);
  }

  /** Sees to it that a clear is noted where others read it who are not told. */
  async #noted(intent: ClearIntent, failed: Set<RecoveryTier>): Promise<ClearIntent> {
    const { notes, shared } = this.#parts;
    if (intent.isNoted || shared === undefined || shared.isDown || failed.has(shared)) {
      return intent;
    }
    const isNoted = await notes?.note(intent.pattern, intent.version) ?? true;
    if (!isNoted) failed.add(shared);
    return { ...intent, isNoted };
  }

  #giveUp(intent: Intent, reason: "count" | "bytes" | "closed"): void {
    this.#dropped++;
    this.#parts.events.emit("recoveryDropped", { ...named(intent), reason });
    if (reason !== "count" || intent.kind === "clear") return;
    // What nobody else will ever have is not kept here either.
    for (const tier of this.#parts.tiers) {
      if (!tier.distrusts(intent.key)) tier.drop(intent.key, intent.version);
    }
  }
}

/** An intent as events tell of it. */
function named(intent: Intent): { readonly kind: Intent["kind"]; readonly key: string } {
  return { kind: intent.kind, key: intent.kind === "clear" ? intent.pattern ?? "*" : intent.key };
}
