import type { CacheEntry } from "../../src/entry/entry.ts";
import { latestHonest } from "../../src/entry/version.ts";
import { CacheError } from "../../src/errors.ts";
import type { Clock, VersionedOutcome } from "../../src/types.ts";
import { encodeMark, MARK_MS } from "../_delete_mark.ts";
import type { Conditions } from "./conditions.ts";
import type { KnownObjects } from "./known_objects.ts";
import { encodeStanding, parseStanding, type Standing } from "./object_metadata.ts";
import type { ObjectCondition, ObjectStore } from "./object_store.ts";
import type { Records } from "./records.ts";
import type { Requests } from "./requests.ts";

/** What versioned writes need. */
export interface ObjectVersionedWritesParts {
  /** The one source of time. */
  readonly clock: Clock;
  /** The store. */
  readonly store: ObjectStore;
  /** Sends requests. */
  readonly requests: Requests;
  /** Looks at what is there. */
  readonly records: Records;
  /** What has been there, as far as is remembered. */
  readonly known: KnownObjects;
}

/** Frames up to this size are sent before anything is known of the object, in the hope that there is none. */
const HOPEFUL_BYTES = 65_536;

/** Turns after which a store that always has another object by then is given up. */
const MAX_TURNS = 64;

interface Record extends Standing {
  readonly frame: Uint8Array;
}

/** What a write did, and whether it replaced a live entry. */
interface Written {
  readonly isOutdated: boolean;
  readonly wasLive: boolean;
}

/** What a write takes for there, as its condition says it. */
interface Guess {
  readonly condition: ObjectCondition;
  /** Whether that is a live entry. */
  readonly isLive: boolean;
}

/**
 * The newest version of a key wins: each write names the object that it may
 * replace, and is made again, with another look, when there is another by then
 * (optimistic concurrency control; Kung and Robinson, 1981).
 */
export class ObjectVersionedWrites {
  readonly #parts: ObjectVersionedWritesParts;

  constructor(parts: ObjectVersionedWritesParts) {
    this.#parts = parts;
  }

  /** Stores an entry unless a newer one is there. */
  async set(
    name: string,
    entry: CacheEntry,
    conditions: Conditions,
    signal: AbortSignal | undefined,
  ): Promise<VersionedOutcome> {
    const { key, expiresAt, staleUntil, version } = entry;
    // One that is over leaves no older one behind.
    const isOver = staleUntil <= this.#parts.clock.now();
    const record = isOver
      ? this.#mark(key, version)
      : { expiresAt, staleUntil, version, frame: await entry.encode() };
    const { isOutdated } = await this.#write(name, record, conditions, signal);
    return isOutdated ? "outdated" : "stored";
  }

  /** Marks a key as deleted unless a newer entry is there. @returns whether it removed a live one. */
  async delete(
    name: string,
    key: string,
    version: number,
    conditions: Conditions,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { isOutdated, wasLive } = await this.#write(
      name,
      this.#mark(key, version),
      conditions,
      signal,
    );
    return !isOutdated && wasLive;
  }

  #mark(key: string, version: number): Record {
    const staleUntil = this.#parts.clock.now() + MARK_MS;
    return { expiresAt: 0, staleUntil, version, frame: encodeMark(key, version, staleUntil) };
  }

  async #write(
    name: string,
    record: Record,
    conditions: Conditions,
    signal: AbortSignal | undefined,
  ): Promise<Written> {
    const { store, requests, records, known, clock } = this.#parts;
    const metadata = encodeStanding(record);
    let attempts = 0;
    const put = async (condition: ObjectCondition): Promise<boolean> => {
      const tag = await requests.write(signal, (own) => {
        attempts++;
        return store.put(name, record.frame, { signal: own, metadata, condition });
      });
      if (tag === "conflict") return false;
      known.note(name, { tag, metadata });
      return true;
    };
    const guess = this.#guess(name, record, conditions);
    let wasLive = guess?.isLive ?? false;
    if (guess !== undefined && await put(guess.condition)) return { isOutdated: false, wasLive };
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      const held = await records.look(name, signal);
      // An attempt whose answer was lost may be what stands there: then it is done. Some runtimes
      // make another by themselves, which is not counted; who wrote a mark makes no difference.
      const mayBeOurs = attempts > (record.expiresAt === 0 ? 0 : 1);
      if (mayBeOurs && held?.info.metadata === metadata) return { isOutdated: false, wasLive };
      if (staysOver(held?.standing, record.version, clock.now())) {
        return { isOutdated: true, wasLive: false };
      }
      wasLive = (held?.standing?.expiresAt ?? 0) > clock.now();
      attempts = 0;
      const condition = held === undefined ? "absent" : { tag: conditions.tag(held.info.tag) };
      if (await put(condition)) return { isOutdated: false, wasLive };
    }
    throw new CacheError(
      "unavailable",
      `Cannot write to ${store.label}: others always write first`,
    );
  }

  /** What is there in all likelihood, so that a write need not look; `undefined` where only a look can tell. */
  #guess(name: string, record: Record, conditions: Conditions): Guess | undefined {
    const { known, clock } = this.#parts;
    const last = known.take(name);
    const standing = parseStanding(last?.metadata);
    if (last === undefined || standing === undefined) {
      const isHopeful = record.expiresAt > 0 && record.frame.length <= HOPEFUL_BYTES;
      return isHopeful ? { condition: "absent", isLive: false } : undefined;
    }
    if (staysOver(standing, record.version, clock.now())) return undefined;
    const condition = { tag: conditions.tag(last.tag) };
    return { condition, isLive: standing.expiresAt > clock.now() };
  }
}

/** Whether what is there is newer than a version. What claims one from a later time than any honest clock's has none. */
export function staysOver(standing: Standing | undefined, version: number, now: number): boolean {
  if (standing === undefined) return false;
  const isMark = standing.expiresAt === 0;
  if ((isMark && standing.staleUntil <= now) || standing.version > latestHonest(now)) return false;
  return standing.version > version || (standing.version === version && isMark);
}
