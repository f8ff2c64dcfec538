import type { Embed } from "../../src/embedding_cache.ts";

/** A model whose vectors tell which text they are of, and that remembers what it was asked. */
export class ToyModel {
  /** The texts of each call. */
  readonly calls: string[][] = [];
  readonly #dimensions: number;

  constructor(dimensions = 4) {
    this.#dimensions = dimensions;
  }

  /** The vector of a text. */
  vectorOf(text: string): Float32Array {
    let seed = text.length + 1;
    for (let at = 0; at < text.length; at++) seed = Math.imul(seed, 31) + text.charCodeAt(at) | 0;
    return Float32Array.from({ length: this.#dimensions }, (_, at) => Math.sin(seed + at));
  }

  /** Answers at once. */
  readonly embed: Embed = (texts) => {
    this.calls.push(texts);
    return texts.map((text) => this.vectorOf(text));
  };
}

/** A call of a {@linkcode HeldModel} that waits to be answered. */
export interface HeldCall {
  readonly texts: string[];
  readonly signal: AbortSignal;
  readonly answer: () => void;
  readonly fail: (reason: unknown) => void;
}

/** A model that answers when told to. */
export class HeldModel {
  /** All calls so far. */
  readonly calls: HeldCall[] = [];
  readonly #toy = new ToyModel();
  readonly #watchers: (() => void)[] = [];

  /** Waits to be told. */
  readonly embed: Embed = (texts, { signal }) =>
    new Promise((resolve, reject) => {
      this.calls.push({
        texts,
        signal,
        answer: () => resolve(texts.map((text) => this.#toy.vectorOf(text))),
        fail: reject,
      });
      for (const watch of this.#watchers.splice(0)) watch();
    });

  /** Resolves to one of the calls as soon as it has been made. */
  async call(at: number): Promise<HeldCall> {
    while (this.calls.length <= at) {
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
    return this.calls[at]!;
  }
}
