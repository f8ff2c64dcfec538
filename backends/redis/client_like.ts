import { Buffer } from "node:buffer";
import { RESP_TYPES } from "redis";

/** Asks for bytes where Redis has strings. */
export interface ByteReplies {
  /** What types of replies, by their number, become. */
  readonly typeMapping: Readonly<Record<number, typeof Buffer>>;
}

/** Given with every command. */
export const BYTES: ByteReplies = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } };

/** What is used of `createClient()`. */
export interface RedisClientLike {
  /** Whether commands can be sent. */
  readonly isReady: boolean;
  /** Sends one command. */
  sendCommand(args: (string | Buffer)[], options?: ByteReplies): Promise<unknown>;
}

/** What is used of `createCluster()`. */
export interface RedisClusterLike {
  /** Whether it is connected. */
  readonly isOpen: boolean;
  /** Its primaries. */
  readonly masters: readonly unknown[];
  /** Sends one command to the node of a key. */
  sendCommand(
    firstKey: string | undefined,
    isReadonly: boolean | undefined,
    args: (string | Buffer)[],
    options?: ByteReplies,
  ): Promise<unknown>;
  /** The client of one node. */
  nodeClient(node: unknown): Promise<RedisClientLike>;
}

/** What is used of `createSentinel()`. */
export interface RedisSentinelLike {
  /** Whether it is connected. */
  readonly isReady: boolean;
  /** Sends one command to the primary. */
  sendCommand(
    isReadonly: boolean | undefined,
    args: (string | Buffer)[],
    options?: ByteReplies,
  ): Promise<unknown>;
  /** Tells it from other clients. */
  getSentinelNode(): unknown;
}
