import { CacheError } from "../../src/errors.ts";
import type { Clock } from "../../src/types.ts";
import { isUnknownScript } from "../_script.ts";
import type { UpstashClientLike, UpstashPipelineLike } from "./upstash_config.ts";

/** One command. */
export interface UpstashCommand {
  /** Adds it to a request. */
  readonly add: (pipeline: UpstashPipelineLike) => unknown;
  /** About the bytes that it takes of a request. */
  readonly bytes: number;
  /** The stored key that it changes, or the channel that it tells. Requests overtake one another: no two of them change the same. */
  readonly writes?: string;
  /** Whether its reply is to be null where the key holds no string. */
  readonly nullIfWrongType?: boolean;
  /** What is sent instead when the database does not keep the script that it names. */
  readonly ifUnknownScript?: UpstashCommand;
}

/** How a pipe is made. */
export interface UpstashPipeOptions {
  /** Names the backend in errors. */
  readonly backend: string;
  /** Sends requests. */
  readonly client: UpstashClientLike;
  /** Sets the signal of the next request, where the client can. */
  readonly aim: (signal: AbortSignal | undefined) => void;
  /** Times requests. */
  readonly clock: Clock;
  /** Bytes of a request. */
  readonly maxRequestBytes: number;
  /** Requests at once. */
  readonly maxRequests: number;
  /** Commands that may wait. */
  readonly maxPending: number;
  /** Milliseconds of a request. */
  readonly requestTimeout: number;
}

interface Waiting {
  readonly command: UpstashCommand;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Reply {
  readonly result?: unknown;
  readonly error?: string | undefined;
}

/** Commands in one request. */
const MAX_COMMANDS = 1000;

/**
 * Brings commands to the database: those of one turn, and those that come
 * while all requests are under way, travel together, in order. An aborted
 * command that has not been sent is not sent.
 */
export class UpstashPipe {
  readonly #options: UpstashPipeOptions;
  #queue: Waiting[] = [];
  readonly #writing = new Set<string>();
  #requests = 0;
  #isScheduled = false;

  constructor(options: UpstashPipeOptions) {
    this.#options = options;
  }

  /** Sends commands, and resolves with their replies. @throws what the first that failed was answered. */
  send(
    commands: readonly UpstashCommand[],
    signal: AbortSignal | undefined,
  ): Promise<unknown[]> {
    const { backend, maxPending } = this.#options;
    if (this.#queue.length + commands.length > maxPending) {
      return Promise.reject(
        new CacheError(
          "unavailable",
          "Cannot use Upstash: the server does not answer, and too many commands wait for it",
          { backend },
        ),
      );
    }
    const replies = commands.map((command) =>
      new Promise<unknown>((resolve, reject) => {
        this.#queue.push({ command, signal, resolve, reject });
      })
    );
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      queueMicrotask(() => {
        this.#isScheduled = false;
        this.#pump();
      });
    }
    return Promise.all(replies);
  }

  #pump(): void {
    while (this.#requests < this.#options.maxRequests) {
      const batch = this.#take();
      if (batch.length === 0) return;
      void this.#request(batch);
    }
  }

  /** What goes with the next request: in order, without what has to wait for a write that is under way. */
  #take(): Waiting[] {
    const batch: Waiting[] = [];
    const left: Waiting[] = [];
    const blocked = new Set<string>();
    let bytes = 0;
    let isFull = false;
    for (const waiting of this.#queue) {
      const { command, signal } = waiting;
      if (signal?.aborted === true) {
        waiting.reject(signal.reason);
        continue;
      }
      const isBlocked = command.writes !== undefined &&
        (this.#writing.has(command.writes) || blocked.has(command.writes));
      isFull ||= batch.length === MAX_COMMANDS ||
        (batch.length > 0 && bytes + command.bytes > this.#options.maxRequestBytes);
      if (isBlocked || isFull) {
        if (command.writes !== undefined) blocked.add(command.writes);
        left.push(waiting);
      } else {
        batch.push(waiting);
        bytes += command.bytes;
      }
    }
    this.#queue = left;
    return batch;
  }

  async #request(batch: readonly Waiting[]): Promise<void> {
    this.#requests++;
    for (const { command } of batch) {
      if (command.writes !== undefined) this.#writing.add(command.writes);
    }
    try {
      const replies = await this.#exchange(batch);
      for (const [at, { command, signal, resolve, reject }] of batch.entries()) {
        const reply = replies[at];
        const other = command.ifUnknownScript;
        if (reply === undefined) reject(new TypeError("Cannot read reply: there is none"));
        else if (reply.error === undefined) resolve(reply.result);
        else if (command.nullIfWrongType && reply.error.startsWith("WRONGTYPE")) resolve(null);
        else if (other !== undefined && isUnknownScript(reply.error)) {
          this.#queue.push({ command: other, signal, resolve, reject });
        } else reject(Object.assign(new Error(reply.error), { name: "UpstashError" }));
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    for (const { command } of batch) {
      if (command.writes !== undefined) this.#writing.delete(command.writes);
    }
    this.#requests--;
    this.#pump();
  }

  #exchange(
    batch: readonly Waiting[],
  ): Promise<readonly Reply[]> {
    const { client, aim, clock, requestTimeout, backend } = this.#options;
    const pipeline = client.pipeline();
    for (const { command } of batch) command.add(pipeline);
    const controller = new AbortController();
    return new Promise((resolve, reject) => {
      const cancel = clock.schedule(() => {
        reject(
          new CacheError(
            "unavailable",
            `Cannot use Upstash: no answer within ${requestTimeout} ms`,
            { backend },
          ),
        );
        controller.abort();
      }, requestTimeout);
      // The client asks for the signal before it waits for anything.
      aim(controller.signal);
      const answer = pipeline.exec({ keepErrors: true });
      aim(undefined);
      answer.then((replies) => {
        cancel();
        resolve(Array.isArray(replies) ? replies as Reply[] : []);
      }, (error) => {
        cancel();
        reject(error);
      });
    });
  }
}
