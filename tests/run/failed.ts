import type { Failure } from "./suite.ts";

/** More than this many are only counted, so that they all stand in the last lines of a run. */
const MOST = 30;

/** Characters of one line. */
const LENGTH = 400;

/** One line for each thing that failed, with the beginning of what is known of it. */
export function listFailed(failures: readonly Failure[]): string[] {
  if (failures.length === 0) return [];
  const shown = failures.slice(0, MOST).map(({ title, detail }) =>
    `  ${shorten(title)}: ${shorten(detail)}`
  );
  const more = failures.length - shown.length;
  return ["Failed:", ...shown, ...(more > 0 ? [`  and ${more} more`] : [])];
}

function shorten(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= LENGTH ? line : `${line.slice(0, LENGTH)} …`;
}
