import type {
  Invalidation,
  InvalidationBus,
  InvalidationListener,
} from "../../src/coordination/invalidation_bus.ts";
import { encodeInvalidations } from "../../src/coordination/invalidation_message.ts";
import { Listeners } from "../../src/coordination/listeners.ts";
import { CacheError } from "../../src/errors.ts";
import type { BackendContext, OperationOptions } from "../../src/types.ts";
import type { StoredNames } from "../_stored_key.ts";
import type { OpenConnection, SingleClient } from "./connect.ts";
import type { Echoes } from "./echoes.ts";
import type { RedisLink } from "./redis_link.ts";

/** How a bus is made. */
export interface RedisBusOptions {
  /** Names the bus in events and errors. */
  readonly name: string;
  /** Brings the messages; to one server. */
  readonly link: RedisLink;
  /** Whether the link is the bus's own, to be closed with it. */
  readonly ownsLink: boolean;
  /** Names in the store. */
  readonly names: StoredNames;
  /** Whether the server itself tells what keys change; the link's client must emit that. */
  readonly tracking: boolean;
  /** Tells own changes apart, with tracking. */
  readonly echoes: Echoes;
  /** Hands one message to the server, over the connection that writes entries, after them. */
  readonly send: (message: string, options: OperationOptions | undefined) => Promise<unknown>;
  /** Clock and listener. */
  readonly context: BackendContext;
  /** Names this bus to the others. */
  readonly sender: string;
}

/** The time between two signs of life that the server is asked for. A second one that is due before the first has come ends the connection. */
const HEARTBEAT_MS = 2000;

const NOTHING = (): void => {};

/**
 * Carries invalidations over a channel, on a connection that is kept up. With
 * tracking, the server adds every change of a key that this connection has not made.
 */
export class RedisBus implements InvalidationBus {
  /** Names the bus in events and errors. */
  readonly name: string;
  readonly #options: RedisBusOptions;
  readonly #listeners: Listeners;
  #stopObserving: (() => void) | undefined;
  #cancelHeartbeat: () => void = NOTHING;
  #client: SingleClient | undefined;
  #isClosed = false;

  constructor(options: RedisBusOptions) {
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
    if (this.#stopObserving === undefined) {
      const { link, context, name } = this.#options;
      this.#stopObserving = link.observe({
        connected: (open) => this.#connected(open),
        lost: (error) => {
          this.#lost();
          // With a link of its own nobody else tells that there is no connection.
          if (this.#options.ownsLink) context.report({ kind: "error", error });
          const { code, message, cause } = error;
          this.#listeners.disconnected(new CacheError(code, message, { backend: name, cause }));
        },
      });
      // What goes wrong is told to the observer.
      Promise.resolve(link.connection()).catch(NOTHING);
    }
    return remove;
  }

  /** Ends listening. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const client = this.#client;
    this.#lost();
    this.#stopObserving?.();
    this.#listeners.clear();
    const { link, ownsLink, names } = this.#options;
    if (ownsLink) link.close();
    else await client?.unsubscribe(names.channel, this.#receive).catch(NOTHING);
  }

  readonly #receive = (message: string): void => {
    if (!this.#isClosed) this.#listeners.receive(message);
  };

  async #connected({ client }: OpenConnection): Promise<void> {
    if (client === undefined) throw new TypeError("Cannot subscribe: there is no single server");
    const { names, tracking, echoes } = this.#options;
    await client.subscribe(names.channel, this.#receive);
    if (tracking) {
      client.on("invalidate", (stored: unknown) => this.#changed(stored));
      // The client has turned on the other mode, in which the server tells only of what was read.
      await client.sendCommand(["CLIENT", "TRACKING", "OFF"]);
      echoes.listen();
      await client.sendCommand(
        ["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", names.entryPrefix, "NOLOOP"],
      );
    }
    if (this.#isClosed) return;
    this.#client = client;
    this.#beat(client);
    this.#listeners.connected();
  }

  #changed(stored: unknown): void {
    if (this.#isClosed) return;
    if (stored === null) {
      this.#listeners.tell([{ kind: "clear", pattern: undefined, version: undefined }]);
      return;
    }
    const { names, echoes } = this.#options;
    const key = names.key(String(stored));
    if (echoes.isOwn(String(stored))) return;
    if (key !== undefined) this.#listeners.tell([{ kind: "key", key, version: undefined }]);
  }

  #lost(): void {
    this.#options.echoes.stop();
    this.#client = undefined;
    this.#cancelHeartbeat();
    this.#cancelHeartbeat = NOTHING;
  }

  /** A connection may be dead, or a server hang, without anybody being told. */
  #beat(client: SingleClient): void {
    let isAnswered = false;
    client.sendCommand(["PING"]).then(() => isAnswered = true, NOTHING);
    this.#cancelHeartbeat = this.#options.context.clock.schedule(() => {
      if (this.#client !== client) return;
      if (isAnswered) this.#beat(client);
      else this.#options.link.reset();
    }, HEARTBEAT_MS);
  }

  #begin(): void {
    if (this.#isClosed) {
      throw new CacheError("closed", `Cannot use bus ${this.name}: it is closed`, {
        backend: this.name,
      });
    }
  }
}
