import { grown } from "./grown.ts";

/**
 * Several doubly linked lists of slots over one pair of arrays, 8 bytes a slot.
 * A slot is in one list at most.
 *
 * Each list is a ring through a sentinel, so that linking and unlinking have no
 * special cases. The sentinels take the first places, slots the places behind.
 */
export class SlotLists {
  readonly #lists: number;
  #next: Int32Array;
  #previous: Int32Array;

  constructor(lists: number) {
    this.#lists = lists;
    this.#next = new Int32Array(lists);
    this.#previous = new Int32Array(lists);
    this.clear();
  }

  /** Puts a slot that is in no list at the front of one. */
  pushFront(list: number, slot: number): void {
    const at = slot + this.#lists;
    if (at >= this.#next.length) this.#grow(at);
    const next = this.#next;
    const previous = this.#previous;
    const first = next[list]!;
    next[at] = first;
    previous[at] = list;
    previous[first] = at;
    next[list] = at;
  }

  /** Takes a slot out of its list. */
  unlink(slot: number): void {
    const at = slot + this.#lists;
    const after = this.#next[at]!;
    const before = this.#previous[at]!;
    this.#next[before] = after;
    this.#previous[after] = before;
  }

  /** Moves a slot to the front of the list that it is in or of another. */
  moveToFront(list: number, slot: number): void {
    const at = slot + this.#lists;
    const next = this.#next;
    const first = next[list]!;
    if (first === at) return;
    const previous = this.#previous;
    const after = next[at]!;
    const before = previous[at]!;
    next[before] = after;
    previous[after] = before;
    next[at] = first;
    previous[at] = list;
    previous[first] = at;
    next[list] = at;
  }

  /** The slot at the back of a list, -1 when the list is empty. */
  back(list: number): number {
    const last = this.#previous[list]!;
    return last === list ? -1 : last - this.#lists;
  }

  /** The slot in front of another in its list, -1 when there is none. */
  ahead(slot: number): number {
    return Math.max(-1, this.#previous[slot + this.#lists]! - this.#lists);
  }

  /** Empties all lists. */
  clear(): void {
    for (let list = 0; list < this.#lists; list++) {
      this.#next[list] = list;
      this.#previous[list] = list;
    }
  }

  #grow(at: number): void {
    this.#next = grown(this.#next, at);
    this.#previous = grown(this.#previous, at);
  }
}
