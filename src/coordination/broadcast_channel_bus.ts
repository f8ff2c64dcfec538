/**
 * Invalidation between the caches of one runtime: its threads, workers or tabs.
 *
 * @module
 */

import { CacheError } from "../errors.ts";
import type { OperationOptions } from "../types.ts";
import type { Invalidation, InvalidationBus, InvalidationListener } from "./invalidation_bus.ts";
import { encodeInvalidations, isSender } from "./invalidation_message.ts";
import { Listeners } from "./listeners.ts";

/** Options of {@linkcode BroadcastChannelBus}. */
export interface BroadcastChannelBusOptions {
  /** Buses of the same channel hear one another. @default "strata" */
  readonly channel?: string;
  /** Names this bus to the others, at most 64 characters. @default a random one */
  readonly sender?: string;
  /** Is told of messages that are none of Strata's. @default does nothing */
  readonly onHostile?: () => void;
}

/**
 * Carries invalidations over a `BroadcastChannel`. It cannot be lost.
 *
 * @example
 * ```ts
 * import { BroadcastChannelBus } from "@strata/cache";
 *
 * const bus = new BroadcastChannelBus({ channel: "my-app" });
 * await bus.publish([{ kind: "tag", tag: "user:1", version: undefined }]);
 * await bus.close();
 * ```
 */
export class BroadcastChannelBus implements InvalidationBus {
  /** Names the bus in events and errors. */
  readonly name: string = "broadcast-channel";
  readonly #channelName: string;
  readonly #sender: string;
  readonly #listeners: Listeners;
  #channel: BroadcastChannel | undefined;
  #isClosed = false;

  /**
   * Creates a bus; the first use opens the channel.
   *
   * @throws {RangeError} when `sender` is empty or too long.
   */
  constructor(options: BroadcastChannelBusOptions = {}) {
    const { channel = "strata", sender = crypto.randomUUID(), onHostile = () => {} } = options;
    if (!isSender(sender)) {
      throw new RangeError(
        `Cannot open broadcast channel bus: 'sender' must be a string of 1 to 64 characters`,
      );
    }
    this.#channelName = channel;
    this.#sender = sender;
    this.#listeners = new Listeners(sender, onHostile);
  }

  /** Tells the others. */
  // deno-lint-ignore require-await -- rejects instead of throwing
  async publish(
    invalidations: readonly Invalidation[],
    options?: OperationOptions,
  ): Promise<void> {
    options?.signal?.throwIfAborted();
    const channel = this.#open();
    for (const message of encodeInvalidations(this.#sender, invalidations)) {
      channel.postMessage(message);
    }
  }

  /** Begins to listen. @returns a function that ends it. */
  subscribe(listener: InvalidationListener): () => void {
    this.#open();
    return this.#listeners.add(listener);
  }

  /** Leaves the channel. */
  // deno-lint-ignore require-await -- rejects instead of throwing
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#listeners.clear();
    this.#channel?.close();
    this.#channel = undefined;
  }

  #open(): BroadcastChannel {
    if (this.#isClosed) {
      throw new CacheError("closed", `Cannot use bus ${this.name}: it is closed`);
    }
    if (this.#channel === undefined) {
      const channel = new BroadcastChannel(this.#channelName);
      channel.onmessage = (event) => this.#listeners.receive(event.data);
      // Servers would stay alive for it.
      (channel as { unref?: () => void }).unref?.();
      this.#channel = channel;
      this.#listeners.connected();
    }
    return this.#channel;
  }
}
