import { CacheError } from "../../src/errors.ts";
import { abortable } from "../_abortable.ts";
import { COMMAND_BYTES, sizeOf } from "./commands.ts";
import { upstashError } from "./upstash_errors.ts";
import type { UpstashCommand, UpstashPipe } from "./upstash_pipe.ts";

/** What an operation is about. */
export interface CallOptions {
  /** Begins messages, as in `Cannot read from Upstash`. */
  readonly action: string;
  /** The key, as its caller gave it. */
  readonly key?: string | undefined;
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
}

/** Keys that the database looks at in one turn of a scan. */
const SCAN_COUNT = 500;

/** Sends commands, and makes named errors of what comes of them. */
export class UpstashStore {
  readonly #backend: string;
  readonly #pipe: UpstashPipe;

  constructor(backend: string, pipe: UpstashPipe) {
    this.#backend = backend;
    this.#pipe = pipe;
  }

  /** Commands that travel together, as far as their size allows. */
  async send(commands: readonly UpstashCommand[], options: CallOptions): Promise<unknown[]> {
    const { action, key, signal } = options;
    try {
      return await abortable(this.#pipe.send(commands, signal), signal);
    } catch (error) {
      if (signal?.aborted === true && error === signal.reason) throw error;
      throw upstashError(error, { backend: this.#backend, action, key });
    }
  }

  /** Walks the stored keys that a pattern matches, in batches. The same key may come twice. */
  async *scan(match: string, options: CallOptions): AsyncGenerator<readonly string[]> {
    let cursor = "0";
    do {
      const add: UpstashCommand["add"] = (pipeline) =>
        pipeline.scan(cursor, { match, count: SCAN_COUNT });
      const [reply] = await this.send([{ add, bytes: COMMAND_BYTES + sizeOf(match) }], options);
      if (!Array.isArray(reply) || !Array.isArray(reply[1])) {
        throw new CacheError("backend", `${options.action}: the server's answer is no scan`, {
          backend: this.#backend,
        });
      }
      cursor = String(reply[0]);
      if (reply[1].length > 0) yield reply[1].map(String);
    } while (cursor !== "0");
  }
}
