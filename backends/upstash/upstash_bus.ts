import type {
  Invalidation,
  InvalidationBus,
  InvalidationListener,
} from "../../src/coordination/invalidation_bus.ts";
import {
  encodeHeartbeat,
  encodeInvalidations,
} from "../../src/coordination/invalidation_message.ts";
import { Listeners } from "../../src/coordination/listeners.ts";
import { CacheError } from "../../src/errors.ts";
import type { BackendContext, OperationOptions } from "../../src/types.ts";
import { backOff, type Random } from "../_back_off.ts";
import { readEvents } from "./sse.ts";
import { upstashError } from "./upstash_errors.ts";

/** How a bus is made. */
export interface UpstashBusOptions {
  /** Names the bus in events and errors. */
  readonly name: string;
  /** Where the database is. */
  readonly address: { readonly url: string; readonly token: string };
  /** The channel. */
  readonly channel: string;
  /** Hands one message to the database, after the writes before it. */
  readonly send: (message: string, options: OperationOptions | undefined) => Promise<unknown>;
  /** Clock and listener. */
  readonly context: BackendContext;
  /** Spreads attempts to connect. */
  readonly random: Random;
  /** Names this bus to the others. */
  readonly sender: string;
}

/**
 * The time between two messages to itself. When none has come in that time the
 * stream is dead, though nobody said so. Each is a command that is paid for.
 */
const HEARTBEAT_MS = 30_000;

/** Milliseconds for one attempt to connect. */
const CONNECT_TIMEOUT_MS = 10_000;

const NOTHING = (): void => {};

/** Carries invalidations over a channel, which it reads as a stream of events by REST. */
export class UpstashBus implements InvalidationBus {
  /** Names the bus in events and errors. */
  readonly name: string;
  readonly #options: UpstashBusOptions;
  readonly #listeners: Listeners;
  #isStarted = false;
  #isClosed = false;
  #isFailing = false;
  #failures = 0;
  #isAlive = false;
  #attempt: AbortController | undefined;
  #cancelTimer: () => void = NOTHING;

  constructor(options: UpstashBusOptions) {
    this.name = options.name;
    this.#options = options;
    this.#listeners = new Listeners(options.sender, () =>
      options.context.report({
        kind: "corrupt",
        error: new CacheError("corrupt", `Cannot read message of bus ${options.name}: it is none`, {
          backend: options.name,
        }),
      }));
  }

  /** Tells the others. */
  async publish(
    invalidations: readonly Invalidation[],
    options?: OperationOptions,
  ): Promise<void> {
    options?.signal?.throwIfAborted();
    this.#begin();
    const { sender, send } = this.#options;
    const messages = encodeInvalidations(sender, invalidations);
    await Promise.all(messages.map((message) => send(message, options)));
  }

  /** Begins to listen. @returns a function that ends it. */
  subscribe(listener: InvalidationListener): () => void {
    this.#begin();
    const remove = this.#listeners.add(listener);
    if (!this.#isStarted) {
      this.#isStarted = true;
      void this.#listen();
    }
    return remove;
  }

  /** Ends listening. */
  // deno-lint-ignore require-await -- rejects instead of throwing
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer();
    this.#listeners.clear();
    this.#attempt?.abort();
  }

  /** One connection, from its beginning to its end; then another is scheduled. */
  async #listen(): Promise<void> {
    const { name, address, channel, context, random } = this.#options;
    const attempt = new AbortController();
    this.#attempt = attempt;
    let failure: unknown = new Error("the stream is over");
    this.#setTimer(() => attempt.abort(), CONNECT_TIMEOUT_MS);
    try {
      const response = await fetch(`${address.url}/subscribe/${encodeURIComponent(channel)}`, {
        method: "POST",
        headers: { Authorization: `Bearer ${address.token}`, Accept: "text/event-stream" },
        signal: attempt.signal,
      });
      if (!response.ok || response.body === null) throw await refusal(response);
      await readEvents(response.body, (data) => this.#receive(data));
    } catch (error) {
      failure = error;
    }
    if (this.#isClosed) return;
    attempt.abort();
    this.#cancelTimer();
    const error = upstashError(failure, { backend: name, action: "Cannot listen to Upstash" });
    if (!this.#isFailing) {
      this.#isFailing = true;
      context.report({ kind: "error", error });
    }
    this.#listeners.disconnected(error);
    this.#setTimer(() => void this.#listen(), backOff(this.#failures++, random));
  }

  #receive(data: string): void {
    if (this.#isClosed) return;
    this.#isAlive = true;
    const { channel } = this.#options;
    const kind = data.slice(0, data.indexOf(","));
    const rest = data.slice(kind.length + 1);
    if (!rest.startsWith(`${channel},`)) return;
    if (kind === "subscribe") this.#connected();
    else if (kind === "message") this.#listeners.receive(rest.slice(channel.length + 1));
  }

  #connected(): void {
    this.#failures = 0;
    this.#isFailing = false;
    this.#listeners.connected();
    this.#beat();
  }

  #beat(): void {
    const { sender, send } = this.#options;
    this.#isAlive = false;
    send(encodeHeartbeat(sender), undefined).catch(NOTHING);
    this.#setTimer(() => {
      if (this.#isAlive) this.#beat();
      else this.#attempt?.abort();
    }, HEARTBEAT_MS);
  }

  #setTimer(callback: () => void, delay: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.context.clock.schedule(callback, delay);
  }

  #begin(): void {
    if (this.#isClosed) {
      throw new CacheError("closed", `Cannot use bus ${this.name}: it is closed`, {
        backend: this.name,
      });
    }
  }
}

async function refusal(response: Response): Promise<Error> {
  const text = await response.text().catch(() => "");
  const error = /"error"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? "no events";
  return Object.assign(new Error(error), { name: "UpstashError" });
}
