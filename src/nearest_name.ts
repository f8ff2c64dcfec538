/** The most edits at which a name still counts as a slip of the pen. */
const MAX_EDITS = 3;

/**
 * Ends an error message about an unknown name.
 *
 * @returns `: did you mean "x"?` for the nearest known name, or nothing when none is near.
 */
export function nearestName(name: string, known: readonly string[]): string {
  const allowed = Math.min(MAX_EDITS, Math.ceil(name.length / 2));
  let best: string | undefined;
  let bestDistance = allowed + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best === undefined ? "" : `: did you mean "${best}"?`;
}

/** Levenshtein's distance, of the first 64 characters of each. */
function editDistance(left: string, right: string): number {
  const a = left.slice(0, 64);
  const b = right.slice(0, 64);
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
