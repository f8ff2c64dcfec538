import type {
  Invalidation,
  InvalidationBus,
  InvalidationListener,
} from "../../src/coordination/invalidation_bus.ts";
import { CacheError } from "../../src/errors.ts";

/** Where the messages of {@linkcode FakeBus}es go. */
export class FakeChannel {
  readonly buses = new Set<FakeBus>();
}

/** A bus that delivers at once, and can be cut off. */
export class FakeBus implements InvalidationBus {
  readonly name = "fake-bus";
  /** What was published, one call after another. */
  readonly published: (readonly Invalidation[])[] = [];
  isClosed = false;
  readonly #channel: FakeChannel;
  readonly #listeners = new Set<InvalidationListener>();
  #isConnected = true;

  constructor(channel: FakeChannel) {
    this.#channel = channel;
    channel.buses.add(this);
  }

  publish(invalidations: readonly Invalidation[]): Promise<void> {
    if (!this.#isConnected) return Promise.reject(new CacheError("unavailable", "Cannot publish"));
    this.published.push(invalidations);
    for (const bus of this.#channel.buses) {
      if (bus !== this) bus.hear(invalidations);
    }
    return Promise.resolve();
  }

  subscribe(listener: InvalidationListener): () => void {
    this.#listeners.add(listener);
    if (this.#isConnected) listener.connected();
    return () => void this.#listeners.delete(listener);
  }

  /** Takes what another has published, if it can. */
  hear(invalidations: readonly Invalidation[]): void {
    if (!this.#isConnected) return;
    for (const listener of this.#listeners) listener.invalidated(invalidations);
  }

  /** Loses the connection. */
  cut(): void {
    this.#isConnected = false;
    for (const each of this.#listeners) each.disconnected(new CacheError("unavailable", "lost"));
  }

  /** Has a connection again. */
  mend(): void {
    this.#isConnected = true;
    for (const each of this.#listeners) each.connected();
  }

  close(): Promise<void> {
    this.isClosed = true;
    this.#channel.buses.delete(this);
    return Promise.resolve();
  }
}
