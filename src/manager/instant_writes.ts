import type { WriteFormat } from "../entry/content.ts";
import type { EventHub } from "../observability/events.ts";
import type { Clock } from "../types.ts";
import type { Fences } from "./fences.ts";
import type { Sharing } from "./shared_tier.ts";
import type { Tier } from "./tier.ts";
import { entryOf, type Write } from "./write.ts";

/** What {@linkcode InstantWrites} shares with the stack whose tier it writes. */
export interface InstantWritesParts {
  /** Fastest first. */
  readonly tiers: readonly Tier[];
  /** Says whether others are told of writes. */
  readonly sharing: Pick<Sharing, "bus">;
  /** Tell whether anybody else is at a key. */
  readonly fences: Fences;
  /** Takes what happens. */
  readonly events: EventHub;
  /** The one source of time. */
  readonly clock: Clock;
  /** How values are written. */
  readonly format: WriteFormat;
}

/**
 * The writes that need no waiting: to memory alone, of keys that nobody else
 * is fetching or writing. With nothing to come in between, there is nothing to
 * keep apart.
 */
export class InstantWrites {
  /** The tier in memory, where that is all there is and nobody else is told of writes. */
  readonly #memory: Tier | undefined;
  readonly #fences: Fences;
  readonly #events: EventHub;
  readonly #clock: Clock;
  readonly #format: WriteFormat;

  constructor({ tiers, sharing, fences, events, clock, format }: InstantWritesParts) {
    const isAlone = tiers.length === 1 && sharing.bus === undefined;
    this.#memory = isAlone && tiers[0]!.isInProcess ? tiers[0] : undefined;
    this.#fences = fences;
    this.#events = events;
    this.#clock = clock;
    this.#format = format;
  }

  /**
   * Writes a value.
   *
   * @returns whether it is stored; `undefined` when a write that waits has to be made.
   * @throws {TypeError} when no format carries the value.
   */
  set(write: Write): Promise<boolean> | undefined {
    const canDoIt = this.#memory !== undefined && write.tags.length === 0 &&
      this.#fences.isQuiet(write.key) && !this.#events.has("write");
    if (!canDoIt) return undefined;
    const entry = entryOf(write, this.#clock.now(), this.#format);
    this.#fences.watcher?.changed(write.key);
    return this.#memory.setNow(entry);
  }
}
