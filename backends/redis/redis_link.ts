import { CacheError } from "../../src/errors.ts";
import type { Clock } from "../../src/types.ts";
import { backOff, type Random } from "../_back_off.ts";
import type { Connect, OpenConnection } from "./connect.ts";
import type { RedisConnection } from "./connection.ts";
import { redisError } from "./redis_errors.ts";
import type { ConnectionSource } from "./redis_store.ts";

/** How a link is made. */
export interface RedisLinkOptions {
  /** Names the backend in errors. */
  readonly backend: string;
  /** Opens a connection. */
  readonly connect: Connect;
  /** Whether another attempt may find another server, as with sentinels. */
  readonly canMove?: boolean;
  /** Times attempts. */
  readonly clock: Clock;
  /** Spreads attempts. */
  readonly random: Random;
}

/** Is told of a link's connections. */
export interface LinkObserver {
  /** There is a new connection. The attempt fails when this rejects. */
  connected(open: OpenConnection): Promise<void>;
  /** There is none any more, or the first attempt failed. Once until there is one again. */
  lost(error: CacheError): void;
}

/** A connection on which nothing came for so long, though something was asked, is given up; milliseconds. */
const SILENCE_LIMIT_MS = 10_000;

const NOTHING = (): void => {};

/**
 * Keeps up one connection. The first use opens it, and waits; when it is lost
 * it is opened again in the background, and until then every use fails at once.
 */
export class RedisLink implements ConnectionSource {
  readonly #options: RedisLinkOptions;
  readonly #observers = new Set<LinkObserver>();
  #open: OpenConnection | undefined;
  #first: Promise<RedisConnection> | undefined;
  #failure: CacheError | undefined;
  #failures = 0;
  #cancelRetry: () => void = NOTHING;
  readonly #closing = new AbortController();
  /** When something was asked after the last answer, 0 for nothing. */
  #silentSince = 0;

  constructor(options: RedisLinkOptions) {
    this.#options = options;
  }

  /**
   * The connection.
   *
   * @throws {CacheError} `"unavailable"` while there is none, at once but for the first use.
   */
  connection(): RedisConnection | Promise<RedisConnection> {
    if (this.#open !== undefined) {
      if (this.#open.connection.isReady && !this.#isSilent()) return this.#open.connection;
      this.reset();
    }
    if (this.#first !== undefined) return this.#first;
    if (this.#failure === undefined && !this.#closing.signal.aborted) {
      this.#first = this.#attempt().finally(() => this.#first = undefined);
      return this.#first;
    }
    const { backend } = this.#options;
    return Promise.reject(
      this.#failure === undefined
        ? new CacheError("closed", `Cannot use backend ${backend}: it is closed`, { backend })
        : again(this.#failure),
    );
  }

  /** An answer is awaited from now on. */
  sent(): void {
    if (this.#silentSince === 0) this.#silentSince = this.#options.clock.recent();
  }

  /** An answer has come. */
  heard(): void {
    this.#silentSince = 0;
  }

  /** After a failover the old primary is a replica: the sentinels know the new one. */
  foundReplica(): void {
    if (this.#options.canMove === true) this.reset();
  }

  /** Gives the connection up and opens another. */
  reset(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    open.destroy();
    this.#lost(new Error("Socket closed"));
  }

  /** Ends it; what waits for an answer fails. */
  close(): void {
    this.#closing.abort(new Error("Socket closed"));
    this.#failure = undefined;
    this.#cancelRetry();
    this.#open?.destroy();
    this.#open = undefined;
  }

  /** Tells an observer of all connections from now on, the present one included. @returns a function that ends it. */
  observe(observer: LinkObserver): () => void {
    this.#observers.add(observer);
    const open = this.#open;
    if (open !== undefined) {
      observer.connected(open).catch(() => {
        if (this.#open === open && this.#observers.has(observer)) this.reset();
      });
    }
    return () => void this.#observers.delete(observer);
  }

  async #attempt(): Promise<RedisConnection> {
    const { connect, clock, random } = this.#options;
    const { signal } = this.#closing;
    // Lost before anybody used it.
    let early: Error | undefined;
    try {
      const open = await connect({
        clock,
        random,
        signal,
        onLost: (error) => {
          early = error;
          if (this.#open !== open) return;
          this.#open = undefined;
          this.#lost(error);
        },
      });
      try {
        // Whoever comes to observe meanwhile is told too.
        for (const observer of this.#observers) await observer.connected(open);
        signal.throwIfAborted();
        if (early !== undefined) throw early;
      } catch (error) {
        open.destroy();
        throw error;
      }
      this.#open = open;
      this.#failure = undefined;
      this.#failures = 0;
      this.#silentSince = 0;
      return open.connection;
    } catch (error) {
      throw this.#lost(error, true);
    }
  }

  #lost(error: unknown, connecting = false): CacheError {
    const { backend, clock, random } = this.#options;
    const failure = redisError(error, { backend, action: "Cannot connect to Redis", connecting });
    const isNews = this.#failure === undefined;
    if (this.#closing.signal.aborted) return failure;
    this.#failure = failure;
    if (isNews) [...this.#observers].forEach((observer) => observer.lost(failure));
    this.#cancelRetry = clock.schedule(() => {
      this.#attempt().catch(NOTHING);
    }, backOff(this.#failures++, random));
    return failure;
  }

  /** A cluster is never silent as a whole: its nodes are many. */
  #isSilent(): boolean {
    return this.#silentSince !== 0 && this.#open?.client !== undefined &&
      this.#options.clock.recent() - this.#silentSince > SILENCE_LIMIT_MS;
  }
}

/** The same failure, with a stack of its own. */
function again({ code, message, backend, cause }: CacheError): CacheError {
  return new CacheError(code, message, { backend, cause });
}
