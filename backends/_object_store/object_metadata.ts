/*
 * What is kept beside an object, so that a HEAD tells whether it is live: one
 * line of ASCII under the name "strata", which every store and proxy carries.
 *
 *   1;<expires>;<stale until>;<version>
 *
 * Times are epoch milliseconds, or "never"; numbers are as JavaScript writes
 * them. The mark of a delete expires at 0, and is kept until "stale until".
 * The frame says the same and has the last word on a value.
 */

/** The name of the line. */
export const METADATA_NAME = "strata";

const FORM = "1";
const NEVER = "never";
const NUMBER = /^\d{1,17}(?:\.\d{1,9})?(?:e\+\d{1,3})?$/;

/** The times and version of an entry, as far as a store knows them without its bytes. */
export interface Standing {
  /** From when on it is a miss, epoch milliseconds; 0 in the mark of a delete. */
  readonly expiresAt: number;
  /** Until when it may be served stale, or the mark is kept, epoch milliseconds. */
  readonly staleUntil: number;
  /** Newest wins. */
  readonly version: number;
}

/** The line for an entry. */
export function encodeStanding({ expiresAt, staleUntil, version }: Standing): string {
  return [FORM, timeText(expiresAt), timeText(staleUntil), String(version)].join(";");
}

/** What a line says, `undefined` for none and for what is no such line. */
export function parseStanding(line: string | undefined): Standing | undefined {
  const [form, expires, stale, version, ...rest] = line?.split(";") ?? [];
  if (form !== FORM || rest.length > 0 || version === undefined) return undefined;
  const standing = {
    expiresAt: parseTime(expires),
    staleUntil: parseTime(stale),
    version: NUMBER.test(version) ? Number(version) : NaN,
  };
  const { expiresAt, staleUntil } = standing;
  return expiresAt <= staleUntil && Number.isFinite(standing.version) ? standing : undefined;
}

function timeText(time: number): string {
  return time === Infinity ? NEVER : String(Math.max(0, time));
}

function parseTime(text: string | undefined): number {
  if (text === NEVER) return Infinity;
  return text !== undefined && NUMBER.test(text) ? Number(text) : NaN;
}
