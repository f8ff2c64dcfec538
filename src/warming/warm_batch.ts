import type { Placement } from "../eviction/eviction_policy.ts";
import type { Loads, LoadStorage } from "../manager/loads.ts";
import type { TierStack } from "../manager/tier_stack.ts";
import type { Tier } from "../manager/tier.ts";
import type { Write } from "../manager/write.ts";
import type { Fills } from "./fills.ts";
import type { Rooms } from "./rooms.ts";
import type { WantedKey } from "./warm_keys.ts";
import type { WarmItem, WarmLoader } from "./warm_options.ts";
import { WarmTally } from "./warm_tally.ts";

/** A value that need not be loaded. */
export type ReadyValue = Pick<Write, "value" | "ttl" | "tags">;

/** What a batch works with. */
export interface WarmBatchParts<I extends WarmItem> {
  readonly stack: TierStack;
  readonly loads: Loads;
  readonly rooms: Rooms;
  /** Values that the source has itself, by the keys that the tiers know. */
  readonly readReady:
    | ((keys: readonly WantedKey<I>[], signal: AbortSignal) => Promise<Map<string, ReadyValue>>)
    | undefined;
  readonly loader: WarmLoader<I> | undefined;
  /** How loaded values are stored. */
  readonly storage: LoadStorage;
  /** Keys that the loader may be asked for. */
  readonly maxLoads: number;
  /** Their place among the entries of a tier. @default on probation: nobody has asked for them */
  readonly placement?: Placement | undefined;
}

/** What has become of the keys of one batch. */
export interface WarmBatchOutcome {
  readonly tally: WarmTally;
  /** The tier for whose lack of room keys were left out; they are not in the tally. */
  readonly full: string | undefined;
  /** What the loader failed with. */
  readonly failure: { readonly reason: unknown } | undefined;
}

const ON_PROBATION: Placement = { probation: true };

/** Brings keys into the fastest tier: from slower ones, from the source itself, from the loader. */
export class WarmBatch<I extends WarmItem> {
  readonly #parts: WarmBatchParts<I>;
  readonly #fills: Fills;
  readonly #placement: Placement;
  #loadsLeft: number;

  constructor(parts: WarmBatchParts<I>) {
    this.#parts = parts;
    this.#fills = parts.stack.fills;
    this.#placement = parts.placement ?? ON_PROBATION;
    this.#loadsLeft = parts.maxLoads;
  }

  /** Where the keys are brought. */
  get fastest(): Tier {
    return this.#fills.tiers[0]!;
  }

  /** Whether a key needs no room, as far as is known at once. */
  readonly holds = (stored: string): boolean => this.#fills.holds(stored);

  /**
   * Warms some keys. Rejects only with the signal's reason.
   *
   * @param reserved how many entries room is kept for.
   */
  async warm(
    keys: readonly WantedKey<I>[],
    reserved: number,
    signal: AbortSignal,
  ): Promise<WarmBatchOutcome> {
    const { stack, rooms, readReady, loader } = this.#parts;
    const wanted = new Map(keys.map((key) => [key.stored, key]));
    const tally = new WarmTally();
    tally.alreadyThere += keys.length - wanted.size;
    // A value that was read before somebody else wrote the key must not replace what was written.
    const tickets = readReady && [...wanted.keys()].map((key) => stack.fences.open(key));
    try {
      const outcome = await this.#fills.fill([...wanted.keys()], {
        signal,
        placement: this.#placement,
        takes: (tier) => rooms.of(tier, reserved) > 0,
      });
      tally.alreadyThere += outcome.held.length;
      tally.warmed += outcome.filled.length;
      tally.declined += outcome.declined.length;
      const absent = outcome.absent.map((key) => wanted.get(key)!);
      const ready = absent.length === 0 ? undefined : await readReady?.(absent, signal);
      const unready = absent.filter(({ stored }) => !ready?.has(stored));
      const asked = loader === undefined ? [] : unready.slice(0, this.#loadsLeft);
      const full = asked.length > 0 || ready?.size ? rooms.full(reserved)?.name : undefined;
      if (full !== undefined) return { tally, full, failure: undefined };
      if (ready !== undefined) {
        const valid = new Map([...wanted.keys()].map((key, at) => [key, tickets![at]!]));
        await this.#store(ready, (key) => valid.get(key)!.isValid, tally, signal);
      }
      tally.missing += unready.length - asked.length;
      const failure = asked.length === 0 ? undefined : await this.#load(asked, tally, signal);
      return { tally, full, failure };
    } finally {
      tickets?.forEach((ticket) => ticket.close());
    }
  }

  async #store(
    ready: ReadonlyMap<string, ReadyValue>,
    isValid: (key: string) => boolean,
    tally: WarmTally,
    signal: AbortSignal,
  ): Promise<void> {
    const { stack } = this.#parts;
    for (const [key, value] of ready) {
      if (!isValid(key)) {
        tally.declined++;
        continue;
      }
      try {
        const { stored } = await stack.set(
          { key, ...value, version: stack.stamp() },
          signal,
          this.#placement,
        );
        tally[stored ? "warmed" : "declined"]++;
      } catch (error) {
        signal.throwIfAborted();
        // The format cannot carry it.
        if (!(error instanceof TypeError)) throw error;
        tally.failed++;
      }
    }
  }

  /** @returns what the loader failed with. */
  async #load(
    asked: readonly WantedKey<I>[],
    tally: WarmTally,
    signal: AbortSignal,
  ): Promise<{ readonly reason: unknown } | undefined> {
    const { loads, loader, storage } = this.#parts;
    this.#loadsLeft -= asked.length;
    const items = new Map(asked.map(({ given, item }) => [given, item]));
    try {
      const values = await loads.loadMany(
        asked,
        (missing, context) =>
          loader!(missing, {
            signal: context.signal,
            items: missing.map((given) => items.get(given)!),
          }),
        { ...storage, placement: this.#placement },
        signal,
      );
      for (const { stored } of asked) {
        if (values.get(stored) === undefined) tally.missing++;
        else {
          tally.warmed++;
          tally.loaded++;
        }
      }
      return undefined;
    } catch (reason) {
      signal.throwIfAborted();
      tally.failed += asked.length;
      return { reason };
    }
  }
}
