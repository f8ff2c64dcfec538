import { cosine } from "../demo/nearest.ts";
import type { EmbeddingStorage } from "../../src/embedding_storage.ts";

/** How near a way of storing keeps vectors. */
export interface Agreement {
  /** The largest that 1 less the cosine between a vector and what comes back is. */
  readonly worstCosineError: number;
  /** The share of each vector's ten nearest that are still among its ten nearest. */
  readonly top10: number;
  /** Bytes of a stored vector. */
  readonly bytes: number;
}

const NEAREST = 10;

/** Stores vectors and brings them back. */
export function measureAgreement(
  vectors: readonly Float32Array[],
  { pack, unpack }: EmbeddingStorage,
): Agreement {
  const packed = vectors.map(pack);
  const back = packed.map((value) => unpack(value, undefined)!);
  let worstCosineError = 0;
  let kept = 0;
  for (const [at, vector] of vectors.entries()) {
    worstCosineError = Math.max(worstCosineError, 1 - cosine(vector, back[at]!));
    const before = nearest(vector, vectors);
    const after = new Set(nearest(back[at]!, back));
    kept += before.filter((neighbour) => after.has(neighbour)).length;
  }
  return {
    worstCosineError,
    top10: kept / (vectors.length * Math.min(NEAREST, vectors.length)),
    bytes: packed.reduce((sum, { byteLength }) => sum + byteLength, 0) / packed.length,
  };
}

function nearest(query: Float32Array, vectors: readonly Float32Array[]): number[] {
  return vectors
    .map((vector, at) => ({ at, score: cosine(query, vector) }))
    .sort((one, other) => other.score - one.score || one.at - other.at)
    .slice(0, NEAREST)
    .map(({ at }) => at);
}
