import type { Invalidation, InvalidationListener } from "../coordination/invalidation_bus.ts";
import type { Recovery } from "../coordination/recovery.ts";
import type { VersionClock } from "../entry/version.ts";
import type { CacheError } from "../errors.ts";
import { testOf } from "../glob.ts";
import type { EventHub } from "../observability/events.ts";
import type { Clock } from "../types.ts";
import type { Background } from "./background.ts";
import type { Fences } from "./fences.ts";
import { LazyDrops } from "./lazy_drops.ts";
import type { TagIndex } from "./tag_index.ts";
import type { Tier } from "./tier.ts";

/** What a receiver is made of. */
export interface InvalidationReceiverParts {
  /** The tiers that are this process's own. */
  readonly faster: readonly Tier[];
  readonly recovery: Recovery;
  readonly fences: Fences;
  readonly tags: TagIndex;
  readonly versions: VersionClock;
  readonly events: EventHub;
  readonly background: Background;
  readonly clock: Clock;
  readonly random: () => number;
  /** The name of the bus. */
  readonly bus: string;
  /** The period of recovery, in milliseconds. */
  readonly period: number;
  readonly whenMissed: "drop" | "keep";
  /** Told of each key that others have changed, when that is done here too. */
  readonly onChanged: (key: string) => void;
  /** Messages travel again. */
  readonly onConnected: () => void;
}

/**
 * Does to the faster tiers what others say has changed. What they hold is
 * dropped, not read again: a key that is still wanted is read by the next who
 * asks for it, so that a storm of messages makes no storm of reads.
 *
 * Of equal versions the one that is held is dropped as well: two processes may
 * have stamped at the same moment, and the shared tier knows which one it kept.
 */
export class InvalidationReceiver implements InvalidationListener {
  readonly #parts: InvalidationReceiverParts;
  readonly #drops: LazyDrops[];
  #hasConnected = false;
  #cancelFlush: (() => void) | undefined;
  /** Whether messages arrive. */
  isConnected = false;
  /** Changes heard of. */
  heard = 0;

  constructor(parts: InvalidationReceiverParts) {
    this.#parts = parts;
    this.#drops = parts.faster.map((tier) => new LazyDrops(tier));
  }

  invalidated(invalidations: readonly Invalidation[]): void {
    const { events, versions } = this.#parts;
    for (const invalidation of invalidations) {
      this.heard++;
      const { version } = invalidation;
      if (version !== undefined) versions.observe(version);
      if (events.has("invalidation")) events.emit("invalidation", invalidation);
      switch (invalidation.kind) {
        case "key":
          this.#key(invalidation.key, version);
          break;
        case "tag":
          this.#parts.tags.heard(invalidation.tag, version);
          break;
        case "clear":
          if (version !== undefined) {
            this.#parts.recovery.cleared(invalidation.pattern, version);
          }
          this.#clear(invalidation.pattern, version);
      }
    }
  }

  connected(): void {
    const { events, bus, clock, random, period, onConnected, whenMissed } = this.#parts;
    this.isConnected = true;
    events.emit("busUp", { bus });
    onConnected();
    this.#parts.recovery.wake();
    if (whenMissed === "keep") return;
    // Processes that lost a bus together do not read everything again together.
    const delay = this.#hasConnected ? random() * period / 4 : 0;
    this.#hasConnected = true;
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    if (delay === 0) this.#flush();
    else this.#cancelFlush = clock.schedule(() => this.#flush(), delay);
  }

  disconnected(error: CacheError): void {
    const { events, bus } = this.#parts;
    this.isConnected = false;
    events.emit("busDown", { bus, error });
  }

  /** Resolves when all that was heard of is done. */
  async idle(): Promise<void> {
    await Promise.all(this.#drops.map((drops) => drops.idle()));
  }

  /** Ends what is still to come. */
  async end(): Promise<void> {
    this.#cancelFlush?.();
    await this.idle();
  }

  #key(key: string, version: number | undefined): void {
    const { fences, recovery, versions, onChanged } = this.#parts;
    fences.invalidate(key);
    const upTo = version ?? versions.next();
    if (version !== undefined) recovery.heard(key, version);
    for (const drops of this.#drops) drops.add(key, upTo);
    onChanged(key);
  }

  #flush(): void {
    this.#cancelFlush = undefined;
    this.#parts.tags.doubt();
    // Nothing was cleared: what is being written, as a stream may be for long, is not to be lost.
    this.#parts.fences.invalidateAll();
    this.#forget(undefined);
  }

  #clear(pattern: string | undefined, version: number | undefined): void {
    // It was made before it is heard of: what was begun since, as a stream may be, is newer and stays.
    this.#parts.fences.openClear(testOf(pattern), version)();
    this.#forget(pattern);
  }

  #forget(pattern: string | undefined): void {
    const { tags, faster, background } = this.#parts;
    tags.cleared(testOf(pattern));
    for (const tier of faster) background.run(tier.forget(pattern));
  }
}
