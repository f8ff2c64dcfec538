import { Buffer } from "node:buffer";
import { CacheError, isCacheError } from "../../src/errors.ts";
import { abortable, unguardedSignal } from "../_abortable.ts";
import type { Argument, RedisConnection, Send } from "./connection.ts";
import type { OperationOptions } from "../../src/types.ts";
import { redisError } from "./redis_errors.ts";

/** Where connections come from: a link that keeps one up, or a client of the caller's. */
export interface ConnectionSource {
  /** The connection, or a rejection when there is none. */
  connection(): RedisConnection | Promise<RedisConnection>;
  /** An answer is awaited from now on. */
  sent(): void;
  /** An answer has come. */
  heard(): void;
  /** The server took no write: it is a replica. */
  foundReplica(): void;
}

/** What an operation is about. */
export interface CallOptions extends OperationOptions {
  /** Begins messages, as in `Cannot read from Redis`. */
  readonly action: string;
  /** The key, as its caller gave it. */
  readonly key?: string | undefined;
}

/** What a backend's operation is about. */
export function callOf(
  verb: string,
  options: OperationOptions | undefined,
  key?: string,
): CallOptions {
  return {
    action: `Cannot ${verb} Redis`,
    key,
    isGuarded: options?.isGuarded,
    // Not before somebody wants it: it may have to be made.
    get signal() {
      return options?.signal;
    },
  };
}

/** Keys that the server looks at in one turn of a scan. */
const SCAN_COUNT = 1000;

/** Sends commands, and makes named errors of what comes of them. */
export class RedisStore {
  readonly #backend: string;
  readonly #source: ConnectionSource;

  constructor(backend: string, source: ConnectionSource) {
    this.#backend = backend;
    this.#source = source;
  }

  /** Begins commands in one go, so that they travel together. */
  async call<T>(
    start: (connection: RedisConnection) => Promise<T>,
    options: CallOptions,
  ): Promise<T> {
    const source = this.#source;
    try {
      let connection = source.connection();
      if (connection instanceof Promise) {
        const { signal } = options;
        connection = await abortable(connection, signal);
        // What waited for a connection is not sent for a caller who has gone.
        signal?.throwIfAborted();
      }
      const answer = start(connection);
      source.sent();
      const reply = await abortable(answer, unguardedSignal(options));
      source.heard();
      return reply;
    } catch (error) {
      throw this.failure(error, options);
    }
  }

  /**
   * Reads one string. The shortest way, for what is done most: a promise more
   * costs as much as decoding a small value.
   *
   * @returns `undefined` when there is no connection yet, or none.
   */
  read(stored: string): Promise<unknown> | undefined {
    const connection = this.#source.connection();
    if (connection instanceof Promise) {
      // The longer way asks again, and tells what is wrong.
      connection.catch(() => {});
      return undefined;
    }
    const answer = connection.send(stored, ["GET", stored]);
    this.#source.sent();
    return answer;
  }

  /** Notes the answer to {@linkcode RedisStore.read}. */
  heard(): void {
    this.#source.heard();
  }

  /** One command to the server of a stored key. */
  send(stored: string, args: Argument[], options: CallOptions): Promise<unknown> {
    return this.call((connection) => connection.send(stored, args), options);
  }

  /** Walks the stored keys that begin as the pattern says, in batches. The same key may come twice. */
  async *scan(match: string, options: CallOptions): AsyncGenerator<readonly string[]> {
    const servers = await this.call((connection) => connection.servers(), options);
    for (const server of servers) {
      let cursor = "0";
      do {
        const page = await this.#scanPage(server, cursor, match, options);
        cursor = page.cursor;
        if (page.keys.length > 0) yield page.keys;
      } while (cursor !== "0");
    }
  }

  async #scanPage(
    server: Send,
    cursor: string,
    match: string,
    options: CallOptions,
  ): Promise<{ cursor: string; keys: string[] }> {
    const args = ["SCAN", cursor, "MATCH", match, "COUNT", String(SCAN_COUNT)];
    const reply = await this.call(() => server(args), options);
    if (!Array.isArray(reply) || !Array.isArray(reply[1])) {
      throw new CacheError("backend", `${options.action}: the server's answer is no scan`, {
        backend: this.#backend,
      });
    }
    return { cursor: String(reply[0]), keys: reply[1].map(String) };
  }

  /** What failed, as a named error; the signal's reason as it is. */
  failure(error: unknown, options: CallOptions): unknown {
    const { action, key, signal } = options;
    if (signal?.aborted === true && error === signal.reason) return error;
    const backend = this.#backend;
    const failure = redisError(error, { backend, action, key });
    if (!isCacheError(error) && isReadonlyReply(error)) this.#source.foundReplica();
    return failure;
  }
}

/** The bytes of a reply, `undefined` for a null and whatever else is no string. */
export function bytesOfReply(reply: unknown): Uint8Array | undefined {
  return Buffer.isBuffer(reply) ? reply : undefined;
}

/** Where the header of a frame has the ids of serializer and codec. */
const SERIALIZER_AT = 5;
const CODEC_AT = 6;

/**
 * The bytes of a frame. Replies are views of what the socket read, at any
 * offset and side by side. A binary value becomes a view of its frame, so that
 * one gets a buffer of its own: its user may transfer it. Of other values the
 * bytes are only read.
 */
export function frameOf(reply: Uint8Array): Uint8Array {
  return reply[SERIALIZER_AT] === 0 && reply[CODEC_AT] === 0
    ? new Uint8Array(reply)
    : new Uint8Array(reply.buffer, reply.byteOffset, reply.byteLength);
}

function isReadonlyReply(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("READONLY");
}
