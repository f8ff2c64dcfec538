/*
 * What several processes may have seen of one cache, by linearity of the
 * shared tier and the staleness that messages allow.
 */
import assert from "node:assert/strict";

/** What one process did or read: times in milliseconds of one clock. `last` is read when all is over. */
export type Said = [
  kind: "get" | "set" | "delete" | "last",
  key: string,
  value: string | null,
  begun: number,
  ended: number,
];

/** How long after its end a change may stay unseen: the way of a message, on a machine that does much else. */
export const STALENESS_MS = 3000;

/** A delete is stamped so far ahead that it beats what is set elsewhere within that time. */
const FENCE_MS = 500;

/** How far clocks of one machine are apart that begin at different times. */
const CLOCKS_MS = 50;

/** What began later than this after another's end came after it in every order. */
const SLACK_MS = FENCE_MS + CLOCKS_MS;

/** How much a history held that could be looked at. */
export interface Checked {
  /** Reads that gave a value. */
  readonly hits: number;
  /** Reads that gave none although the key had been set. */
  readonly misses: number;
}

/**
 * Looks at each read, and at what is left in the end. Values are unlike each other.
 *
 * @throws {AssertionError} at the first that no allowed order explains.
 */
export function checkHistory(said: readonly Said[]): Checked {
  const histories = new Map<string, History>();
  for (const each of said) {
    let history = histories.get(each[1]);
    if (history === undefined) histories.set(each[1], history = new History());
    history.add(each);
  }
  let hits = 0;
  let misses = 0;
  for (const history of histories.values()) {
    history.check();
    hits += history.hits;
    misses += history.misses;
  }
  return { hits, misses };
}

/** What happened to one key. */
class History {
  hits = 0;
  misses = 0;
  readonly #sets = new Map<string, Said>();
  readonly #deletes: Said[] = [];
  readonly #reads: Said[] = [];
  readonly #lasts: Said[] = [];
  readonly #ends = new Map<Said, number>();

  add(said: Said): void {
    const [kind, , value] = said;
    if (kind === "set") this.#sets.set(value!, said);
    else if (kind === "delete") this.#deletes.push(said);
    else if (kind === "get") this.#reads.push(said);
    else this.#lasts.push(said);
  }

  check(): void {
    for (const read of this.#reads) {
      if (read[2] === null) this.#checkMiss(read);
      else this.#checkHit(read);
    }
    if (this.#lasts.length > 0) this.#checkLasts();
  }

  #checkHit([, key, value, begun, ended]: Said): void {
    this.hits++;
    const set = this.#setOf(key, value!);
    assert.ok(set[3] <= ended + CLOCKS_MS, `${key} gave ${value} before it was set`);
    const end = this.#replacedAt(set);
    assert.ok(
      begun <= end + STALENESS_MS,
      `${key} gave ${value}, replaced ${Math.round(begun - end)} ms before`,
    );
  }

  /** Some delete must come after each set that was certainly over. */
  #checkMiss([, key, , begun, ended]: Said): void {
    const set = this.#newestSet(begun - STALENESS_MS);
    if (set === undefined) return;
    this.misses++;
    const isExplained = this.#deletes.some((other) =>
      other[4] >= set[3] - SLACK_MS && other[3] <= ended + CLOCKS_MS
    );
    assert.ok(isExplained, `${key} gave nothing, though ${set[2]} was set and not deleted`);
  }

  /** Now that nothing is under way any more all agree, on something that nothing certainly replaced. */
  #checkLasts(): void {
    const values = new Set(this.#lasts.map(([, , value]) => value));
    const [[, key]] = this.#lasts as [Said];
    assert.equal(values.size, 1, `${key} is ${[...values].join(" and ")} in the end`);
    const [value] = values as Set<string | null>;
    if (value === null) {
      const set = this.#newestSet(Infinity);
      const isExplained = set === undefined ||
        this.#deletes.some((other) => other[4] >= set[3] - SLACK_MS);
      assert.ok(isExplained, `${key} is nothing in the end, though ${set?.[2]} was set`);
      return;
    }
    const end = this.#replacedAt(this.#setOf(key, value!));
    assert.equal(end, Infinity, `${key} is ${value} in the end, which was replaced`);
  }

  #setOf(key: string, value: string): Said {
    const set = this.#sets.get(value);
    assert.ok(set !== undefined, `${key} gave ${value}, which nobody set there`);
    return set;
  }

  /** The set that began last of those that ended before a time. */
  #newestSet(before: number): Said | undefined {
    let newest: Said | undefined;
    for (const set of this.#sets.values()) {
      if (set[4] < before && (newest === undefined || set[3] > newest[3])) newest = set;
    }
    return newest;
  }

  /** When a value was replaced by something that no order of what overlapped puts before it. */
  #replacedAt(set: Said): number {
    let earliest = this.#ends.get(set);
    if (earliest !== undefined) return earliest;
    earliest = Infinity;
    for (const others of [this.#sets.values(), this.#deletes]) {
      for (const other of others) {
        if (other[3] > set[4] + SLACK_MS) earliest = Math.min(earliest, other[4]);
      }
    }
    this.#ends.set(set, earliest);
    return earliest;
  }
}
