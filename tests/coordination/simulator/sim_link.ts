import { CacheError } from "../../../src/errors.ts";
import type { SimTime } from "./sim_time.ts";

/** Milliseconds after which an end notices that the other has fallen silent, as RedisLink does. */
const SILENCE_MS = 1000;

/** What a link is made of. */
export interface SimLinkParts {
  readonly time: SimTime;
  readonly random: () => number;
  /** Calls back as soon as the machine is not frozen. */
  readonly wake: (callback: () => void) => void;
}

/**
 * What ties one machine to a server, as TCP does: what is sent comes late, or,
 * while the link is cut, not before it is mended; after a second of that both
 * ends give up.
 */
export class SimLink {
  /** Whether nothing gets through. */
  isCut = false;
  /** The most milliseconds that a way takes. */
  latency = 5;
  readonly #parts: SimLinkParts;

  constructor(parts: SimLinkParts) {
    this.#parts = parts;
  }

  /** Does something at the server and brings back what that gives. */
  request<T>(serve: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const { wake } = this.#parts;
      const answer = async (): Promise<T> => {
        await this.cross();
        const result = await serve();
        await this.cross();
        return result;
      };
      answer().then(
        (result) => wake(() => resolve(result)),
        (error) => wake(() => reject(error)),
      );
    });
  }

  /** Resolves at the other end. @throws {CacheError} `"unavailable"` when it does not get there. */
  async cross(): Promise<void> {
    const { time, random } = this.#parts;
    await time.wait(random() * this.latency);
    for (let waited = 0; this.isCut; waited += 50) {
      if (waited >= SILENCE_MS) throw new CacheError("unavailable", "Cannot reach the server");
      await time.wait(50);
    }
  }
}
