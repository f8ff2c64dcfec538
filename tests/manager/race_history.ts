import assert from "node:assert/strict";

/** Something that gives a key a value, or takes it away. */
export interface Change {
  /** What was done, for messages. */
  readonly name: string;
  /** The value, which no other change gives; `undefined` where it takes it away. */
  readonly value: string | undefined;
  /** The keys concerned. */
  readonly concerns: (key: string) => boolean;
  /** For a drop by tag: only changes that gave a value with that tag are undone. */
  readonly tag?: string | undefined;
  readonly tags: readonly string[];
  /** Whether a loader made the value: then it is not stored when something else was done to the key meanwhile. */
  readonly isLoad?: boolean;
  /** When it was called. For a load, when its loader was. */
  readonly start: number;
  /** When it was over; `Infinity` when it never told so. */
  end: number;
}

/** What a read gave. */
export interface Read {
  readonly key: string;
  readonly value: unknown;
  readonly start: number;
  readonly end: number;
}

/** What was done to a cache, and what that allows reads to give. Of changes that overlap, the last called counts. */
export class RaceHistory {
  readonly changes: Change[] = [];
  #now = 0;

  /** A moment after all before it. */
  tick(): number {
    return ++this.#now;
  }

  begin(change: Omit<Change, "start" | "end">): Change {
    const begun: Change = { ...change, start: this.tick(), end: Infinity };
    this.changes.push(begun);
    return begun;
  }

  /** @param missIsAllowed also where nothing took the value away, as when tiers fail. */
  check(read: Read, missIsAllowed: boolean): void {
    const { key, value, start, end } = read;
    if (value === undefined) {
      if (!missIsAllowed) this.#checkMiss(read);
      return;
    }
    const giver = this.changes.find((change) => change.value === value && change.concerns(key));
    assert.ok(giver !== undefined, `${key} gave ${short(value)}, which nobody set`);
    assert.ok(giver.start < end, `${key} gave ${short(value)} before it was set`);
    const undoer = this.changes.find((change) =>
      this.#undoes(change, giver, key) && change.end < start
    );
    assert.equal(
      undoer && describe(undoer),
      undefined,
      `${key} gave ${short(value)} of ${describe(giver)} in a read from ${start} to ${end}`,
    );
  }

  /** What a key may hold once all is over: the value of the last change, or none. */
  checkFinal(key: string, value: unknown): void {
    this.check({ key, value, start: this.tick(), end: this.tick() }, true);
  }

  #checkMiss({ key, start, end }: Read): void {
    const setBefore = this.changes.find((change) =>
      change.value !== undefined && !(change.isLoad && this.#hasOverlap(change, key)) &&
      change.concerns(key) && change.end < start &&
      !this.changes.some((other) => this.#takes(other, change, key) && other.start < end)
    );
    assert.equal(setBefore && describe(setBefore), undefined, `${key} was a miss at ${start}`);
  }

  #undoes(change: Change, giver: Change, key: string): boolean {
    return change !== giver && change.concerns(key) && change.start > giver.start &&
      (change.tag === undefined || giver.tags.includes(change.tag)) &&
      !(change.isLoad && this.#hasOverlap(change, key));
  }

  #hasOverlap(load: Change, key: string): boolean {
    return this.changes.some((change) =>
      change !== load && change.concerns(key) && change.start < load.end && change.end > load.start
    );
  }

  /** Whether a change may have taken away what another gave, or what came in its place. */
  #takes(change: Change, giver: Change, key: string): boolean {
    return change.value === undefined && change.concerns(key) && change.end > giver.start;
  }
}

function describe({ name, start, end }: Change): string {
  return `${name} from ${start} to ${end}`;
}

function short(value: unknown): string {
  return String(value).slice(0, 20);
}
