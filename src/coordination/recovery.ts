import type { Fences } from "../manager/fences.ts";
import type { EventHub } from "../observability/events.ts";
import type { Clock } from "../types.ts";
import { type Intent, intentId, keyId, type KeyIntent } from "./intent.ts";
import { type IntentLimits, IntentQueue } from "./intent_queue.ts";
import type { Invalidation } from "./invalidation_bus.ts";
import type { RecoveryTier } from "./recovery_tier.ts";

/** Intents that are replayed at once. */
const CONCURRENCY = 64;

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
  #replayed = 0;
  #dropped = 0;
  #pass: Promise<void> | undefined;
  #cancelPass: (() => void) | undefined;
  #hasEnded = false;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
    this.#queue = new IntentQueue(parts.limits, (intent, reason) => this.#give(intent, reason));
  }

  /** Keeps what has not come to every tier. */
  put(intent: Intent): void {
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

  /** Whether a key waits to be repaired. */
  has(key: string): boolean {
    return this.#queue.size > 0 && this.#queue.get(keyId(key)) !== undefined;
  }

  /**
   * Others have changed a key, and the shared tier has that.
   *
   * @returns whether what is kept of the key was older, and is forgotten.
   */
  heard(key: string, version: number): boolean {
    const held = this.#queue.get(keyId(key));
    if (held === undefined || held.version >= version) return false;
    this.#queue.remove(held);
    return true;
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
    for (const intent of left) this.#give(intent, "closed");
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
    const intents = this.#queue.all();
    const failed = new Set<RecoveryTier>();
    for (let at = 0; at < intents.length; at += CONCURRENCY) {
      if (this.#parts.tiers.every((tier) => failed.has(tier) || tier.isDown)) return;
      const some = intents.slice(at, at + CONCURRENCY);
      await Promise.all(some.map((intent) => this.#replay(intent, failed)));
    }
  }

  async #replay(intent: Intent, failed: Set<RecoveryTier>): Promise<void> {
    if (this.#queue.get(intentId(intent)) !== intent) return;
    const isWhole = intent.kind === "clear"
      ? await this.#clear(intent.pattern, intent.version, failed)
      : await this.#repair(intent, failed);
    const { shared, announce, events } = this.#parts;
    let left = intent;
    const isShared = shared === undefined ||
      !(intent.kind === "clear"
        ? shared.missedClear(intent.pattern)
        : shared.distrusts(intent.key));
    if (isShared && intent.announcement !== undefined) {
      announce(intent.announcement);
      left = { ...intent, announcement: undefined };
      this.#queue.replace(intent, left);
    }
    if (!isWhole) return;
    if (this.#queue.get(intentId(left)) !== left) return;
    this.#queue.remove(left);
    this.#replayed++;
    if (events.has("recoveryReplayed")) events.emit("recoveryReplayed", named(intent));
  }

  /** @returns whether every tier has what was meant for a key, or something newer. */
  async #repair(intent: KeyIntent, failed: Set<RecoveryTier>): Promise<boolean> {
    const { key, entry, version } = intent;
    const { tiers, fences, clock } = this.#parts;
    // Like a promotion: what is written now has the last word, and its failure its own intent.
    const ticket = fences.open(key);
    try {
      const isCurrent = (): boolean =>
        ticket.isUndisturbed && this.#queue.get(keyId(key)) === intent;
      if (!isCurrent()) return false;
      const value = entry !== undefined && entry.expiresAt > clock.now() ? entry : undefined;
      const outcomes = await Promise.all(tiers.map(async (tier) => {
        if (!tier.distrusts(key)) return "done";
        if (tier.isDown || failed.has(tier)) return "failed";
        const outcome = await tier.repair(key, value, version, isCurrent);
        if (outcome === "failed") failed.add(tier);
        return outcome;
      }));
      if (outcomes.includes("outdated")) {
        await Promise.all(tiers.map((tier) => tier.drop(key, version)));
      }
      return !outcomes.includes("failed") && !tiers.some((tier) => tier.distrusts(key));
    } finally {
      ticket.close();
    }
  }

  /** @returns whether every tier has been cleared of what is as old as the clear. */
  async #clear(
    pattern: string | undefined,
    version: number,
    failed: Set<RecoveryTier>,
  ): Promise<boolean> {
    const done = await Promise.all(this.#parts.tiers.map(async (tier) => {
      if (!tier.missedClear(pattern)) return true;
      if (tier.isDown || failed.has(tier)) return false;
      const isCleared = await tier.repairClear(pattern, version);
      if (!isCleared) failed.add(tier);
      return isCleared;
    }));
    return done.every(Boolean);
  }

  #give(intent: Intent, reason: "count" | "bytes" | "closed"): void {
    this.#dropped++;
    this.#parts.events.emit("recoveryDropped", { ...named(intent), reason });
  }
}

/** An intent as events tell of it. */
function named(intent: Intent): { readonly kind: Intent["kind"]; readonly key: string } {
  return { kind: intent.kind, key: intent.kind === "clear" ? intent.pattern ?? "*" : intent.key };
}
