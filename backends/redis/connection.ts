import type { Buffer } from "node:buffer";
import type { RedisClientLike, RedisClusterLike, RedisSentinelLike } from "./client_like.ts";
import { BYTES } from "./client_like.ts";

/** A part of a command. */
export type Argument = string | Buffer;

/** What one server of a store takes. */
export type Send = (args: Argument[]) => Promise<unknown>;

/** Commands to a store, be it one server or many. Replies have bytes where Redis has strings. */
export interface RedisConnection {
  /** Whether keys of one command may be on several servers, which no server allows. */
  readonly isCluster: boolean;
  /** Whether commands can be sent now. */
  readonly isReady: boolean;
  /** Sends a command to the server of a key. */
  send(key: string, args: Argument[]): Promise<unknown>;
  /** Removes a stored key. @returns 1 when it was there. */
  remove(key: string): Promise<unknown>;
  /** Hands a message to the listeners of a channel, in order. */
  publish(channel: string, message: string): Promise<unknown>;
  /** Each server that holds keys. */
  servers(): Promise<readonly Send[]>;
}

/** Has a cluster's client send every message of a channel to the same node. */
const PUBLISH_SCRIPT = "return redis.call('PUBLISH', KEYS[1], ARGV[1])";

/** One server. */
export class SingleConnection implements RedisConnection {
  readonly isCluster = false;
  readonly #client: RedisClientLike;

  constructor(client: RedisClientLike) {
    this.#client = client;
  }

  get isReady(): boolean {
    return this.#client.isReady;
  }

  send(_key: string, args: Argument[]): Promise<unknown> {
    return this.#client.sendCommand(args, BYTES);
  }

  remove(key: string): Promise<unknown> {
    return this.#client.sendCommand(["UNLINK", key], BYTES);
  }

  publish(channel: string, message: string): Promise<unknown> {
    return this.#client.sendCommand(["PUBLISH", channel, message], BYTES);
  }

  servers(): Promise<readonly Send[]> {
    return Promise.resolve([(args) => this.#client.sendCommand(args, BYTES)]);
  }
}

/** A cluster. Each command goes to the server of its key, together with what goes there in the same turn. */
export class ClusterConnection implements RedisConnection {
  readonly isCluster = true;
  readonly #cluster: RedisClusterLike;

  constructor(cluster: RedisClusterLike) {
    this.#cluster = cluster;
  }

  get isReady(): boolean {
    return this.#cluster.isOpen;
  }

  send(key: string, args: Argument[]): Promise<unknown> {
    return this.#cluster.sendCommand(key, false, args, BYTES);
  }

  remove(key: string): Promise<unknown> {
    // The client takes a longer way for UNLINK, which may be for many keys: it would be overtaken.
    return this.#cluster.sendCommand(key, false, ["PEXPIRE", key, "-1"], BYTES);
  }

  publish(channel: string, message: string): Promise<unknown> {
    const args = ["EVAL", PUBLISH_SCRIPT, "1", channel, message];
    return this.#cluster.sendCommand(channel, false, args, BYTES);
  }

  async servers(): Promise<readonly Send[]> {
    const clients = await Promise.all(
      this.#cluster.masters.map((node) => this.#cluster.nodeClient(node)),
    );
    return clients.map((client): Send => (args) => client.sendCommand(args, BYTES));
  }
}

/** A primary that sentinels watch over, by a client of the caller's. */
export class SentinelConnection implements RedisConnection {
  readonly isCluster = false;
  readonly #client: RedisSentinelLike;

  constructor(client: RedisSentinelLike) {
    this.#client = client;
  }

  get isReady(): boolean {
    return this.#client.isReady;
  }

  send(_key: string, args: Argument[]): Promise<unknown> {
    return this.#client.sendCommand(false, args, BYTES);
  }

  remove(key: string): Promise<unknown> {
    return this.#client.sendCommand(false, ["UNLINK", key], BYTES);
  }

  publish(channel: string, message: string): Promise<unknown> {
    return this.#client.sendCommand(false, ["PUBLISH", channel, message], BYTES);
  }

  servers(): Promise<readonly Send[]> {
    return Promise.resolve([(args) => this.#client.sendCommand(false, args, BYTES)]);
  }
}
