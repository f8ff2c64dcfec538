import type { ObjectInfo } from "./object_store.ts";

/** Objects that are remembered; a write of any other asks the store first. */
const MAX_OBJECTS = 4096;

/** One state of an object. */
export type KnownObject = Pick<ObjectInfo, "tag" | "metadata">;

/**
 * The states in which objects were last read or written here. A write may name
 * one as its condition without a look: if another has come meanwhile, the store
 * refuses it.
 */
export class KnownObjects {
  readonly #objects = new Map<string, KnownObject>();

  /** Remembers a state, in place of the one that was remembered for longest when there are too many. */
  note(name: string, { tag, metadata }: KnownObject): void {
    if (tag === "") return;
    this.#objects.delete(name);
    this.#objects.set(name, { tag, metadata });
    if (this.#objects.size <= MAX_OBJECTS) return;
    for (const oldest of this.#objects.keys()) {
      this.#objects.delete(oldest);
      return;
    }
  }

  /** Hands out what is remembered of an object, and forgets it. */
  take(name: string): KnownObject | undefined {
    const known = this.#objects.get(name);
    this.#objects.delete(name);
    return known;
  }
}
