/** Prints rows under headings: the first column to the left, the others to the right. */
export function printTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const lines = [headings, ...rows];
  const widths = headings.map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? "").length))
  );
  for (const [at, line] of lines.entries()) {
    const cells = line.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)
    );
    console.log(`  ${cells.join("   ").trimEnd()}`);
    if (at === 0) console.log(`  ${widths.map((width) => "-".repeat(width)).join("   ")}`);
  }
}
