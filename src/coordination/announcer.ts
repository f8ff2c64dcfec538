import { Deadlines } from "../manager/deadline.ts";
import type { Clock } from "../types.ts";
import type { Invalidation, InvalidationBus } from "./invalidation_bus.ts";

/** Changes that wait to be told; with more, others are told to drop everything. */
const MAX_UNTOLD = 10_000;

/** In place of more than others can be told one by one. */
const EVERYTHING: Invalidation = { kind: "clear", pattern: undefined, version: undefined };

/** What an announcer is made of. */
export interface AnnouncerParts {
  /** Carries what is told. */
  readonly bus: InvalidationBus;
  /** The one source of time. */
  readonly clock: Clock;
  /** Milliseconds after which what could not be told is told again, and twice the time that a try may take. */
  readonly period: number;
  /** Told of each try that fails. */
  readonly onError: (error: unknown) => void;
}

/**
 * Tells others what has changed, in the background: what comes while a message
 * is under way goes together in the next one, each key once. What could not be
 * told is kept and told again.
 */
export class Announcer {
  readonly #parts: AnnouncerParts;
  readonly #deadlines: Deadlines;
  #untold = new Map<string, Invalidation>();
  #sending: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;
  /** Changes that others were told. */
  told = 0;

  constructor(parts: AnnouncerParts) {
    this.#parts = parts;
    this.#deadlines = new Deadlines(parts.clock, parts.period / 2, parts.bus.name);
  }

  /** Changes that others have not been told. */
  get untold(): number {
    return this.#untold.size;
  }

  /** Tells of a change, soon. */
  tell(invalidation: Invalidation): void {
    this.#keep(invalidation);
    // What has failed is tried again in its own time.
    if (this.#cancelRetry === undefined) this.#send();
  }

  /** Tries again what could not be told, now. */
  retry(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    if (this.#untold.size > 0) this.#send();
  }

  /** Resolves when all has been told that can be. */
  async idle(): Promise<void> {
    while (this.#sending !== undefined) await this.#sending;
  }

  /** Makes a last try. @returns how many changes could not be told. */
  async end(): Promise<number> {
    this.retry();
    await this.idle();
    this.#cancelRetry?.();
    return this.#untold.size;
  }

  #keep(invalidation: Invalidation): void {
    if (this.#untold.size >= MAX_UNTOLD) {
      this.#untold.clear();
      this.#untold.set(idOf(EVERYTHING), EVERYTHING);
    }
    const id = idOf(invalidation);
    const held = this.#untold.get(id);
    this.#untold.delete(id);
    this.#untold.set(id, newer(held, invalidation));
  }

  #send(): void {
    // One at a time, so that what is said of a key arrives in order.
    this.#sending ??= Promise.resolve().then(() => this.#sendAll()).finally(() => {
      this.#sending = undefined;
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#untold.size > 0) {
      const batch = this.#untold;
      this.#untold = new Map();
      try {
        await this.#deadlines.run(
          "publish",
          (options) => this.#parts.bus.publish([...batch.values()], options),
        );
        this.told += batch.size;
      } catch (error) {
        const later = this.#untold;
        this.#untold = batch;
        for (const invalidation of later.values()) this.#keep(invalidation);
        this.#parts.onError(error);
        this.#cancelRetry = this.#parts.clock.schedule(() => this.retry(), this.#parts.period);
        return;
      }
    }
  }
}

function idOf(invalidation: Invalidation): string {
  switch (invalidation.kind) {
    case "key":
      return `k${invalidation.key}`;
    case "tag":
      return `t${invalidation.tag}`;
    case "clear":
      return invalidation.pattern === undefined ? "a" : `c${invalidation.pattern}`;
  }
}

/** Of two that say the same the one that says more. */
function newer(held: Invalidation | undefined, other: Invalidation): Invalidation {
  if (held === undefined || other.version === undefined) return other;
  return held.version === undefined || held.version > other.version ? held : other;
}
