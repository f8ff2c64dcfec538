/** A document that was found. */
export interface Neighbour {
  readonly title: string;
  readonly score: number;
}

/** What may be found. */
export interface Candidate {
  readonly title: string;
  readonly vector: Float32Array;
}

/** The candidates whose vectors point most nearly the same way, by cosine. */
export function findNearest(
  query: Float32Array,
  candidates: readonly Candidate[],
  count: number,
): Neighbour[] {
  return candidates
    .map(({ title, vector }) => ({ title, score: cosine(query, vector) }))
    .sort((one, other) => other.score - one.score)
    .slice(0, count);
}

/** The cosine of the angle between two vectors of one length. */
export function cosine(one: Float32Array, other: Float32Array): number {
  let dot = 0;
  let oneSquared = 0;
  let otherSquared = 0;
  for (let at = 0; at < one.length; at++) {
    dot += one[at]! * other[at]!;
    oneSquared += one[at]! ** 2;
    otherSquared += other[at]! ** 2;
  }
  return dot / Math.sqrt(oneSquared * otherSquared);
}
