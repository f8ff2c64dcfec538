import type { Corpus } from "./documents.ts";

/** Stands in for a paid model: answers with the vectors that it once made, and counts how often it is asked. */
export class StoredModel {
  readonly #vectors: ReadonlyMap<string, Float32Array>;
  /** How often it was asked. */
  calls = 0;
  /** For how many texts. */
  texts = 0;

  constructor({ documents }: Corpus) {
    this.#vectors = new Map(documents.map(({ text, vector }) => [text, vector]));
  }

  /** The vectors of texts, in their order. */
  readonly embed = (texts: string[]): Float32Array[] => {
    this.calls++;
    this.texts += texts.length;
    return texts.map((text) => this.#vectors.get(text)!);
  };
}
