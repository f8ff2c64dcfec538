import { isCacheError } from "../errors.ts";
import type { Clock } from "../types.ts";
import type { BreakerOptions } from "./breaker_options.ts";
import { CallWindow } from "./call_window.ts";

/** A call that the breaker has let pass. */
export interface PassedCall {
  /** How often the breaker had opened or closed before. */
  readonly era: number;
  /** In epoch milliseconds. */
  readonly begunAt: number;
}

/** What a breaker is made of. */
export interface CircuitBreakerParts {
  /** When it opens, and how it tries again. */
  readonly options: BreakerOptions;
  /** The one source of time. */
  readonly clock: Clock;
  /** From 0 up to, but not including, 1: spreads the probes of processes that lost a tier together. */
  readonly random: () => number;
  /** Asks the tier something small. Rejects when that fails or takes too long. */
  readonly probe: () => Promise<unknown>;
  /** Told that the tier counts as down. */
  readonly onOpen: (error: unknown) => void;
  /** Told that it is up again, and how many milliseconds it was down. */
  readonly onClose: (downMs: number) => void;
}

/**
 * Says whether a tier is worth asking (Nygard, "Release It!", 2007). It opens
 * by the share of calls that fail within a window, or when calls run into their
 * deadline while the tier answers nothing at all. While it is open nobody asks
 * the tier but the breaker itself: one probe at a time, after pauses that
 * double, in the background, so that no caller ever waits for one. The first
 * probe that is answered closes it.
 */
export class CircuitBreaker {
  /** Whether the tier is to be left alone. */
  isOpen = false;
  readonly #parts: CircuitBreakerParts;
  readonly #window: CallWindow;
  /** Calls that were answered at once and are not in the window yet. */
  #answeredNow = 0;
  #timeouts = 0;
  #lastAnswerAt = -Infinity;
  #era = 0;
  #openedAt = 0;
  #closedAt = -Infinity;
  /** How often the pause has been doubled. */
  #doublings = 0;
  #cancelProbe: () => void = () => {};
  #hasEnded = false;

  constructor(parts: CircuitBreakerParts) {
    this.#parts = parts;
    this.#window = new CallWindow(parts.options.window);
  }

  /** Takes note of a call that begins; to be asked only while it is not open. */
  begin(): PassedCall {
    return { era: this.#era, begunAt: this.#parts.clock.recent() };
  }

  /** Counts a call that was answered without waiting. */
  answeredNow(): void {
    this.#answeredNow++;
  }

  /** The tier has answered a call, be it with bad news of one key. */
  answered({ era }: PassedCall): void {
    if (era !== this.#era) return;
    const now = this.#parts.clock.recent();
    this.#lastAnswerAt = now;
    this.#timeouts = 0;
    this.#window.count(now, 1, 0);
  }

  /** A call has failed. */
  failed(call: PassedCall, error: unknown): void {
    if (isAnswer(error)) return this.answered(call);
    // What began before the tier went down or came back says nothing of it now.
    if (call.era !== this.#era || this.isOpen) return;
    const { clock, options } = this.#parts;
    const now = clock.now();
    this.#window.count(now, 1 + this.#answeredNow, 1);
    this.#answeredNow = 0;
    if (!isCacheError(error, "timeout")) this.#timeouts = 0;
    else if (this.#lastAnswerAt <= call.begunAt) this.#timeouts++;
    const { calls, failures } = this.#window.totals(now);
    const isFailing = calls >= options.minCalls && failures >= calls * options.errorRate;
    if (isFailing || this.#timeouts >= options.timeouts) this.#open(error);
  }

  /** Ends probing for good. */
  end(): void {
    this.#hasEnded = true;
    this.#cancelProbe();
  }

  #open(error: unknown): void {
    const { clock, options, onOpen } = this.#parts;
    this.isOpen = true;
    this.#era++;
    this.#openedAt = clock.now();
    // A tier that comes and goes is asked as seldom as one that stays away.
    const isSoon = this.#openedAt - this.#closedAt < options.window;
    this.#doublings = isSoon ? this.#doublings + 1 : 0;
    onOpen(error);
    this.#scheduleProbe();
  }

  #scheduleProbe(): void {
    if (this.#hasEnded) return;
    const { clock, options, random } = this.#parts;
    const longest = Math.min(
      options.minPause * 2 ** Math.min(this.#doublings, 30),
      options.maxPause,
    );
    this.#cancelProbe = clock.schedule(() => this.#probe(), longest * (0.5 + random() / 2));
  }

  async #probe(): Promise<void> {
    try {
      await this.#parts.probe();
    } catch (error) {
      if (!isAnswer(error)) {
        this.#doublings++;
        this.#scheduleProbe();
        return;
      }
    }
    if (!this.#hasEnded) this.#close();
  }

  #close(): void {
    const { clock, onClose } = this.#parts;
    this.isOpen = false;
    this.#era++;
    this.#window.clear();
    this.#answeredNow = 0;
    this.#timeouts = 0;
    this.#closedAt = clock.now();
    this.#lastAnswerAt = this.#closedAt;
    onClose(this.#closedAt - this.#openedAt);
  }
}

/** Whether an error is about what a key holds, and shows that the store answers. */
function isAnswer(error: unknown): boolean {
  return isCacheError(error) &&
    (error.code === "corrupt" || error.code === "unsupported-format" ||
      error.code === "decoded-size" || error.code === "replaced" || error.code === "too-large");
}
