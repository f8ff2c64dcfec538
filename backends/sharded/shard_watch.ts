import { CacheError, isCacheError } from "../../src/errors.ts";
import { CircuitBreaker } from "../../src/manager/breaker.ts";
import { DEFAULT_BREAKER } from "../../src/manager/breaker_options.ts";
import { Deadlines } from "../../src/manager/deadline.ts";
import { reservedKey } from "../../src/manager/scope.ts";
import type { BackendContext, OperationOptions } from "../../src/types.ts";
import { unguardedSignal } from "../_abortable.ts";
import type { Shard } from "./shard.ts";

/** What is read to find out whether a shard answers. */
const PROBE_KEY = reservedKey("probe", "");

/**
 * Gives each operation of one shard its time. A shard that hangs costs that
 * until it counts as down, and nothing from then on until it answers a probe. A
 * shard that fails costs no time, and is asked again and again.
 */
export class ShardWatch {
  readonly #shard: Shard;
  readonly #deadlines: Deadlines;
  readonly #probes: Deadlines;
  readonly #breaker: CircuitBreaker;

  /** @param deadline milliseconds that an operation may take. */
  constructor(shard: Shard, deadline: number, { clock, report }: BackendContext) {
    const { id, backend } = shard;
    this.#shard = shard;
    this.#deadlines = new Deadlines(clock, deadline, id);
    this.#probes = new Deadlines(clock, Math.min(deadline, DEFAULT_BREAKER.probeDeadline), id);
    this.#breaker = new CircuitBreaker({
      options: DEFAULT_BREAKER,
      clock,
      random: Math.random,
      probe: () => this.#probes.run("probe", (options) => backend.get(PROBE_KEY, options)),
      onOpen: (error) => report({ kind: "error", error }),
      onClose: () => {},
    });
  }

  /**
   * Runs an operation.
   *
   * @throws {CacheError} `"timeout"` when its time is over, `"unavailable"` at once while the shard counts as down.
   */
  async run<T>(
    operation: string,
    start: (options: OperationOptions) => Promise<T>,
    options: OperationOptions | undefined,
  ): Promise<T> {
    // What is in memory does not hang.
    if (this.#shard.backend.getSync !== undefined) return await start(options ?? {});
    const breaker = this.#breaker;
    if (breaker.isOpen) {
      const { id } = this.#shard;
      throw new CacheError("unavailable", `Cannot ${operation} in shard "${id}": it is down`, {
        backend: id,
      });
    }
    const call = breaker.begin();
    try {
      const answer = await this.#deadlines.run(operation, start, unguardedSignal(options));
      breaker.answered(call);
      return answer;
    } catch (error) {
      if (isCacheError(error, "timeout")) breaker.failed(call, error);
      else breaker.answered(call);
      throw error;
    }
  }

  /** Asks a shard that is down no more; for when all operations have ended. */
  end(): void {
    this.#breaker.end();
    this.#probes.end();
    this.#deadlines.end();
  }
}
