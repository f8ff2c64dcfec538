import assert from "node:assert/strict";
import type { Invalidation } from "../../../src/coordination/invalidation_bus.ts";
import type { CacheEntry } from "../../../src/entry/entry.ts";
import { stampAt } from "../../../src/entry/version.ts";

const SECOND_MS = 1000;

/** How much later a clear has to be than a write for no clock to have it the other way round, in stamps. */
const CERTAIN = stampAt(SECOND_MS);

/** A value that was meant for a key. */
interface Meant {
  readonly value: unknown;
  readonly version: number;
  readonly expiresAt: number;
  readonly tags: readonly string[];
  /** When it was begun, in the world's time. */
  readonly at: number;
}

/** A clear that the server has carried out, whatever the versions of what it removed. */
interface Cleared {
  readonly concerns: (key: string) => boolean;
  /** In the world's time. */
  readonly at: number;
}

/** What machines meant to be there, by the stamps of their own making, and what that allows to be there in the end. */
export class SimHistory {
  readonly #now: () => number;
  readonly #sets = new Map<string, Meant[]>();
  readonly #deletes = new Map<string, number>();
  readonly #drops = new Map<string, number>();
  readonly #cleared: Cleared[] = [];
  /** The calls that set values, in the world's time. */
  readonly #calls = new Map<unknown, { readonly begun: number; ended: number }>();
  /** The clears that were called, in the world's time. */
  readonly #clearCalls: { readonly pattern: string | undefined; readonly at: number }[] = [];
  readonly #clears: { readonly pattern: string | undefined; readonly version: number }[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A machine has begun to bring an entry to the server. @returns a function to be called when it is there. */
  meant(entry: CacheEntry): () => void {
    const { key, version, expiresAt, tags } = entry;
    const value = entry.value();
    const sets = this.#sets.get(key) ?? [];
    this.#sets.set(key, sets);
    // A replay is no second word.
    if (sets.some((set) => set.version === version && set.value === value)) return () => {};
    sets.push({ value, version, expiresAt, tags, at: this.#now() });
    const call = this.#calls.get(value);
    // Given up, it may be on its way yet.
    return () => call !== undefined && (call.ended = Math.max(call.ended, this.#now()));
  }

  /** A call is about to set a value. @returns a function to be called when the call has ended. */
  setting(value: unknown): () => void {
    const call = { begun: this.#now(), ended: Infinity };
    this.#calls.set(value, call);
    return () => call.ended = this.#now();
  }

  /** A call is about to clear. */
  clearing(pattern: string | undefined): void {
    this.#clearCalls.push({ pattern, at: this.#now() });
  }

  /** A machine has begun to delete a key up to a version at the server. */
  meantDeleted(key: string, version: number): void {
    this.#deletes.set(key, Math.max(version, this.#deletes.get(key) ?? 0));
  }

  /** A machine has told others of something. */
  readonly told = (invalidation: Invalidation): void => {
    const { kind, version } = invalidation;
    if (kind === "tag") {
      this.#drops.set(invalidation.tag, Math.max(version!, this.#drops.get(invalidation.tag) ?? 0));
    }
    if (kind === "clear") this.#clears.push({ pattern: invalidation.pattern, version: version! });
  };

  /** The server has removed what matches, whatever its version. */
  cleared(pattern: string | undefined): void {
    this.#cleared.push({ concerns: (key) => concerns(pattern, key), at: this.#now() });
  }

  /**
   * Fails unless a value, `undefined` for a miss, may be what is left of a key:
   * the newest, or, where that was cleared or is over, the one before it, of
   * which nothing that is there says that it is older.
   */
  check(key: string, left: unknown, where: string): void {
    const deletedUpTo = this.#deletes.get(key) ?? 0;
    const sets = (this.#sets.get(key) ?? []).sort((one, other) => other.version - one.version);
    const story = `${where}: ${key} is ${JSON.stringify(left)}, was meant to be ${
      JSON.stringify(sets.slice(0, 3))
    }, deleted up to ${deletedUpTo}, drops ${JSON.stringify([...this.#drops])}, clears ${
      JSON.stringify(this.#clears)
    }`;
    // Of what has expired the server remembers nothing, nor of the delete before it.
    const forgets = sets.some((set) => set.version > deletedUpTo && this.#hasExpired(set));
    // A clear takes the mark of a delete too, which was stamped ahead of its time.
    const hasMark = !this.#cleared.some((clear) => clear.concerns(key));
    const mayBeLater = ({ version }: Meant): boolean => !hasMark && version > deletedUpTo - CERTAIN;
    // What one that has left had replaced has left before it.
    let mayBeGone = false;
    for (const set of sets) {
      const { version, value } = set;
      const isDeleted = version <= deletedUpTo;
      if (isDeleted && !forgets && !mayBeLater(set) && !this.#isClearedWhileSet(key, set)) break;
      if (value === left) {
        assert.ok(!this.#mustBeGone(key, set), `came back: ${story}`);
        return;
      }
      mayBeGone ||= isDeleted || this.#mayHaveLeft(key, set);
      if (mayBeGone && left === undefined) return;
      const hasEqual = sets.some((other) => other !== set && other.version === version);
      if (mayBeGone || hasEqual) continue;
      // First marks of tags are made by whoever writes first, and may be later than another's entry.
      if (left === undefined && set.tags.length > 0) return;
      assert.fail(`${left === undefined ? "lost" : "outdated"}: ${story}`);
    }
    assert.equal(left, undefined, `came back: ${story}`);
  }

  #hasExpired({ expiresAt }: Meant): boolean {
    return expiresAt <= this.#now() + SECOND_MS;
  }

  /** Whether a value may be gone without a trace. */
  #mayHaveLeft(key: string, set: Meant): boolean {
    const { version, at } = set;
    if (this.#hasExpired(set)) return true;
    if (this.#cleared.some((clear) => clear.concerns(key) && clear.at >= at)) return true;
    return this.#clears.some((clear) => concerns(clear.pattern, key) && clear.version >= version);
  }

  #mustBeGone(key: string, set: Meant): boolean {
    const { version, tags, value } = set;
    if (tags.some((tag) => (this.#drops.get(tag) ?? 0) >= version)) return true;
    // Of two calls at the same time either may be the later.
    const { ended } = this.#calls.get(value)!;
    return !this.#isClearedWhileSet(key, set) &&
      this.#clearCalls.some(({ pattern, at }) => concerns(pattern, key) && at > ended) &&
      this.#clears.some((clear) =>
        concerns(clear.pattern, key) && clear.version >= version + CERTAIN
      );
  }

  /** Whether the server has forgotten all versions of a key while a value was being set: that may be before or after. */
  #isClearedWhileSet(key: string, { value }: Meant): boolean {
    const { begun, ended } = this.#calls.get(value)!;
    const last = this.#cleared.findLast((clear) => clear.concerns(key))?.at;
    return last !== undefined && begun <= last && last <= ended;
  }
}

/** Patterns of this world are a prefix and a star. */
function concerns(pattern: string | undefined, key: string): boolean {
  return key.startsWith(pattern?.slice(0, -1) ?? "");
}
