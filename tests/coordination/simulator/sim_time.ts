import { setImmediate } from "node:timers";
import { ExpiryHeap } from "../../../src/coordination/expiry_heap.ts";
import type { Clock } from "../../../src/types.ts";

interface Timer {
  readonly at: number;
  callback: (() => void) | undefined;
}

/** The one time of a simulated world, in milliseconds. It goes from event to event. */
export class SimTime {
  /** Now. */
  now = 1_700_000_000_000;
  readonly #timers = new ExpiryHeap<Timer>(({ callback }) => callback !== undefined);

  /** Calls back once, `delay` milliseconds from now. @returns a function that calls it off. */
  schedule(callback: () => void, delay: number): () => void {
    const timer: Timer = { at: this.now + Math.max(0, delay), callback };
    this.#timers.push(timer.at, timer);
    return () => void (timer.callback = undefined);
  }

  /** Resolves after some milliseconds. */
  wait(delay: number): Promise<void> {
    return new Promise((resolve) => void this.schedule(resolve, delay));
  }

  /** Moves on to a time; what falls due on the way is called, and all that follows from it done, one by one. */
  async runUntil(end: number): Promise<void> {
    await allPromises();
    for (let timer = this.#timers.pop(); timer !== undefined; timer = this.#timers.pop()) {
      if (timer.at > end) {
        this.#timers.push(timer.at, timer);
        break;
      }
      this.now = Math.max(this.now, timer.at);
      timer.callback!();
      await allPromises();
    }
    this.now = end;
  }
}

/** The clock of one simulated machine: its timers run with the world, what it shows is off by some milliseconds. */
export class SkewedClock implements Clock {
  /** Milliseconds ahead of the world. */
  skew: number;
  readonly #time: SimTime;
  readonly #wake: (callback: () => void) => void;

  /** @param wake calls back as soon as the machine is not frozen. */
  constructor(time: SimTime, skew: number, wake: (callback: () => void) => void) {
    this.#time = time;
    this.skew = skew;
    this.#wake = wake;
  }

  now(): number {
    return Math.floor(this.#time.now + this.skew);
  }

  recent(): number {
    return this.now();
  }

  schedule(callback: () => void, delay: number): () => void {
    let isOff = false;
    const cancel = this.#time.schedule(() => this.#wake(() => isOff || callback()), delay);
    return () => {
      isOff = true;
      cancel();
    };
  }
}

/** Lets all promise reactions run, and those that follow from them. */
function allPromises(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
