/** The value that a share of the values do not exceed. */
export function percentileOf(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** The value in the middle. */
export function medianOf(values: readonly number[]): number {
  return percentileOf(values, 0.5);
}
