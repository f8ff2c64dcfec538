import { readFileSync } from "node:fs";
import { join } from "node:path";
import { getEmbeddingsPath } from "@sap-ux/fiori-docs-embeddings";

/** A document with the vector that a sentence model made of it. */
export interface Document {
  readonly title: string;
  readonly text: string;
  readonly vector: Float32Array;
}

/** The documents and what is known of their model. */
export interface Corpus {
  readonly model: string;
  readonly dimensions: number;
  readonly documents: readonly Document[];
}

/** Reads the npm package: texts as lines of JSON, and the vectors one after another, little-endian float32, in the same order. */
export function loadCorpus(): Corpus {
  const folder = getEmbeddingsPath();
  const { model, dimensions } = JSON.parse(readFileSync(join(folder, "metadata.json"), "utf8"));
  const bytes = readFileSync(join(folder, "embeddings.bin"));
  const numbers = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lines = readFileSync(join(folder, "records.jsonl"), "utf8").split("\n").filter(Boolean);
  const documents = lines.map((line, row): Document => {
    const { title, content } = JSON.parse(line);
    const vector = Float32Array.from(
      { length: dimensions },
      (_, at) => numbers.getFloat32((row * dimensions + at) * 4, true),
    );
    return { title, text: content, vector };
  });
  return { model, dimensions, documents };
}

/** Whether two vectors are the same bit for bit. */
export function isSameVector(one: Float32Array, other: Float32Array): boolean {
  return one.length === other.length && one.every((number, at) => Object.is(number, other[at]));
}
