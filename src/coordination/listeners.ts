import type { CacheError } from "../errors.ts";
import type { Invalidation, InvalidationListener } from "./invalidation_bus.ts";
import { parseInvalidations } from "./invalidation_message.ts";

/** What every bus does with its listeners, whatever carries its messages. */
export class Listeners {
  readonly #sender: string;
  readonly #onHostile: () => void;
  readonly #listeners = new Set<InvalidationListener>();
  #isConnected = false;

  /**
   * @param sender whose messages are this process's own.
   * @param onHostile is told of what is no message.
   */
  constructor(sender: string, onHostile: () => void) {
    this.#sender = sender;
    this.#onHostile = onHostile;
  }

  /** Adds a listener, which hears at once if messages arrive already. @returns a function that removes it. */
  add(listener: InvalidationListener): () => void {
    // Of its own, so that one object may listen twice.
    const own: InvalidationListener = {
      invalidated: (invalidations) => listener.invalidated(invalidations),
      connected: () => listener.connected(),
      disconnected: (error) => listener.disconnected(error),
    };
    this.#listeners.add(own);
    if (this.#isConnected) own.connected();
    return () => void this.#listeners.delete(own);
  }

  /** Passes on a message, unless it is an own one or none. */
  receive(text: unknown): void {
    const message = parseInvalidations(text);
    if (message === undefined) return this.#onHostile();
    if (message.sender === this.#sender || message.invalidations.length === 0) return;
    this.tell(message.invalidations);
  }

  /** Passes on invalidations of others. */
  tell(invalidations: readonly Invalidation[]): void {
    for (const listener of [...this.#listeners]) listener.invalidated(invalidations);
  }

  /** Messages arrive from now on. */
  connected(): void {
    this.#isConnected = true;
    for (const listener of [...this.#listeners]) listener.connected();
  }

  /** Messages may be missed from now on. Told once. */
  disconnected(error: CacheError): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    for (const listener of [...this.#listeners]) listener.disconnected(error);
  }

  /** Forgets all. */
  clear(): void {
    this.#isConnected = false;
    this.#listeners.clear();
  }
}
