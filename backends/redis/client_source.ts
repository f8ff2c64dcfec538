import { CacheError } from "../../src/errors.ts";
import {
  ClusterConnection,
  type RedisConnection,
  SentinelConnection,
  SingleConnection,
} from "./connection.ts";
import type { RedisClient } from "./redis_config.ts";
import type { ConnectionSource } from "./redis_store.ts";

/** A client of the caller's, who connects, mends and closes it. */
export class ClientSource implements ConnectionSource {
  readonly #backend: string;
  readonly #connection: RedisConnection;

  constructor(backend: string, client: RedisClient) {
    this.#backend = backend;
    this.#connection = "nodeClient" in client
      ? new ClusterConnection(client)
      : "getSentinelNode" in client
      ? new SentinelConnection(client)
      : new SingleConnection(client);
  }

  /** The connection. A client that is not ready would queue commands without end. */
  connection(): RedisConnection | Promise<RedisConnection> {
    if (this.#connection.isReady) return this.#connection;
    const backend = this.#backend;
    return Promise.reject(
      new CacheError(
        "unavailable",
        "Cannot use Redis: the client that was given is not connected",
        {
          backend,
        },
      ),
    );
  }

  sent(): void {}

  heard(): void {}

  foundReplica(): void {}
}
