import type { ClearNotes, NotedClear } from "../coordination/clear_notes.ts";
import type { WriteFormat } from "../entry/content.ts";
import { stampAt, type VersionClock } from "../entry/version.ts";
import type { Clock } from "../types.ts";
import { reservedKey } from "./scope.ts";
import type { Tier } from "./tier.ts";
import { entryOf } from "./write.ts";

/** Records over which processes spread, so that two seldom write the same one at once. */
const RECORDS = 8;

/** Clears kept in one record. */
const MAX_CLEARS = 64;

/** How long a clear is kept: longer than what was meant before it may wait to be replayed. */
const KEPT_MS = 300_000;

/** Tries to write a record that another process writes too. */
const ATTEMPTS = 4;

const PREFIX = reservedKey("clears", "");

const KEYS = Array.from({ length: RECORDS }, (_, at) => PREFIX + String(at));

/** Whether a key is of a record of the log. A clear leaves them. */
export function isNoteOfClears(key: string): boolean {
  return key.startsWith(PREFIX);
}

/** What a log is made of. */
export interface ClearLogParts {
  /** The tier that others share. */
  readonly tier: Tier;
  /** The one source of time. */
  readonly clock: Clock;
  /** Chooses this process's record. */
  readonly random: () => number;
  /** Makes versions. */
  readonly versions: VersionClock;
  /** How values are written. */
  readonly format: WriteFormat;
}

/**
 * Keeps the clears of the last minutes in the tier that others share. A clear
 * leaves no mark under the keys that it removes; a process that was cut off,
 * and so was not told of it, would bring back what it had meant to set before.
 */
export class ClearLog implements ClearNotes {
  readonly #parts: ClearLogParts;
  readonly #key: string;

  constructor(parts: ClearLogParts) {
    this.#parts = parts;
    this.#key = KEYS[Math.floor(parts.random() * RECORDS)]!;
  }

  /** Notes a clear. @returns whether the tier has it. */
  async note(pattern: string | undefined, version: number): Promise<boolean> {
    const { tier, clock, versions, format } = this.#parts;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const records = await tier.readRecords([this.#key]);
      if (records === undefined) return false;
      const all = await clearsOf(records[0]);
      if (all.some((clear) => clear.pattern === pattern && clear.version >= version)) return true;
      const held = all.filter((clear) => clear.pattern !== pattern);
      const earliest = version - stampAt(KEPT_MS);
      const clears = [...held.filter((clear) => clear.version > earliest), { pattern, version }]
        .slice(-MAX_CLEARS);
      const entry = entryOf(
        {
          key: this.#key,
          value: clears.map((clear) => [clear.pattern ?? null, clear.version]),
          ttl: KEPT_MS,
          tags: [],
          version: versions.next(),
        },
        clock.now(),
        format,
      );
      await entry.prepare();
      const outcome = await tier.set(entry);
      if (outcome === "stored") return true;
      if (outcome !== "outdated") return false;
      const [newer] = await tier.readRecords([this.#key]) ?? [];
      if (newer !== undefined) versions.observe(newer.version);
    }
    return false;
  }

  /** The clears of the last minutes, `undefined` where the tier does not tell. */
  async read(): Promise<readonly NotedClear[] | undefined> {
    const records = await this.#parts.tier.readRecords(KEYS);
    return records && (await Promise.all(records.map(clearsOf))).flat();
  }
}

/** The clears of a record; one that is none holds none. */
async function clearsOf(
  record: { value(): unknown } | undefined,
): Promise<NotedClear[]> {
  let value: unknown;
  try {
    value = await record?.value();
  } catch {
    return [];
  }
  if (!Array.isArray(value)) return [];
  return value.filter(isRecord).map(([pattern, version]) => ({
    pattern: pattern ?? undefined,
    version,
  }));
}

/** Whether something is a clear as it is noted: its pattern, null for everything, and its version. */
function isRecord(value: unknown): value is [pattern: string | null, version: number] {
  return Array.isArray(value) && value.length === 2 &&
    (value[0] === null || typeof value[0] === "string") && typeof value[1] === "number";
}
