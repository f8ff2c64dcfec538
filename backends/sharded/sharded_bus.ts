import type {
  Invalidation,
  InvalidationBus,
  InvalidationListener,
} from "../../src/coordination/invalidation_bus.ts";
import type { OperationOptions } from "../../src/types.ts";
import { assertAll, gather, partsOf } from "./fan_out.ts";
import type { Rendezvous } from "./rendezvous.ts";
import type { Shard } from "./shard.ts";

/**
 * Carries each invalidation over the bus of its key's shard, after that
 * shard's writes, and listens to all. A tag or a pattern is placed as a key of
 * its text would be. It keeps the order of a sender for what one key, tag or
 * pattern says, not between them. It is lost as soon as one of the buses is,
 * until all are connected again.
 */
export class ShardedBus implements InvalidationBus {
  /** Names the bus in events and errors. */
  readonly name: string;
  readonly #placement: Rendezvous<Shard>;
  readonly #buses: ReadonlyMap<Shard, InvalidationBus>;

  constructor(
    name: string,
    placement: Rendezvous<Shard>,
    buses: ReadonlyMap<Shard, InvalidationBus>,
  ) {
    this.name = name;
    this.#placement = placement;
    this.#buses = buses;
  }

  /** Tells the others. */
  async publish(
    invalidations: readonly Invalidation[],
    options?: OperationOptions,
  ): Promise<void> {
    options?.signal?.throwIfAborted();
    const parts = partsOf(this.#placement, invalidations, placeOf);
    const outcome = await gather(
      parts,
      ({ shard, items }) => this.#buses.get(shard)!.publish(items, options),
    );
    assertAll(this.name, "publish to the bus", outcome, options);
  }

  /** Begins to listen. @returns a function that ends it. */
  subscribe(listener: InvalidationListener): () => void {
    const lost = new Set(this.#buses.values());
    const stops = [...lost].map((bus) =>
      bus.subscribe({
        invalidated: (invalidations) => listener.invalidated(invalidations),
        connected: () => {
          lost.delete(bus);
          if (lost.size === 0) listener.connected();
        },
        disconnected: (error) => {
          const isNews = lost.size === 0;
          lost.add(bus);
          if (isNews) listener.disconnected(error);
        },
      })
    );
    return () => stops.forEach((stop) => stop());
  }

  /** Ends everything. */
  async close(): Promise<void> {
    const parts = [...this.#buses].map(([shard, bus]) => ({ shard, bus }));
    assertAll(this.name, "close the bus", await gather(parts, ({ bus }) => bus.close()));
  }
}

function placeOf(invalidation: Invalidation): string {
  switch (invalidation.kind) {
    case "key":
      return invalidation.key;
    case "tag":
      return invalidation.tag;
    case "clear":
      return invalidation.pattern ?? "";
  }
}
