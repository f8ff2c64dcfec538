import type { Clock } from "../../../src/types.ts";
import { type FileLayer, writeFully } from "./file_layer.ts";
import { encodeBeat } from "./identity.ts";

/** How often a living holder counts up, in milliseconds. */
const BEAT_MS = 2_000;

/** Counts up in an identity's file, for those who cannot look its process up. */
export class Heartbeat {
  readonly #layer: FileLayer;
  readonly #clock: Clock;
  readonly #file: number;
  #beat = 0;
  #cancel: () => void = () => {};

  constructor(layer: FileLayer, path: string, clock: Clock) {
    this.#layer = layer;
    this.#clock = clock;
    this.#file = layer.open(path, "write");
    this.#schedule();
  }

  /** Stops, before the file is removed. */
  stop(): void {
    this.#cancel();
    this.#layer.close(this.#file);
  }

  #schedule(): void {
    this.#cancel = this.#clock.schedule(() => {
      const beat = new TextEncoder().encode(encodeBeat(++this.#beat));
      try {
        writeFully(this.#layer, this.#file, beat, beat.length, 0);
      } catch {
        // A failing disk shows in what matters more, and others look the process up first.
      }
      this.#schedule();
    }, BEAT_MS);
  }
}
