/** Something and when it expires. */
interface Item<T> {
  readonly expiresAt: number;
  readonly order: number;
  readonly value: T;
}

/** Dead items that are kept before all are looked through. */
const SLACK = 64;

/**
 * Gives what expires first, of equals what came first: a binary heap (Williams,
 * "Algorithm 232: Heapsort", 1964). What is not alive any more is skipped.
 */
export class ExpiryHeap<T> {
  readonly #isAlive: (value: T) => boolean;
  #items: Item<T>[] = [];
  #order = 0;
  /** The size at which dead items are taken out. */
  #sweepAt = SLACK;

  /** @param isAlive whether something that was pushed still counts. */
  constructor(isAlive: (value: T) => boolean) {
    this.#isAlive = isAlive;
  }

  /** Takes something that is alive. */
  push(expiresAt: number, value: T): void {
    if (this.#items.length >= this.#sweepAt) this.#sweep();
    this.#items.push({ expiresAt, order: this.#order++, value });
    this.#rise(this.#items.length - 1);
  }

  /** Takes out what expires first, `undefined` when nothing is left. */
  pop(): T | undefined {
    for (;;) {
      const first = this.#items[0];
      if (first === undefined) return undefined;
      const last = this.#items.pop()!;
      if (this.#items.length > 0) {
        this.#items[0] = last;
        this.#sink(0);
      }
      if (this.#isAlive(first.value)) return first.value;
    }
  }

  #sweep(): void {
    this.#items = this.#items.filter(({ value }) => this.#isAlive(value));
    for (let at = (this.#items.length >> 1) - 1; at >= 0; at--) this.#sink(at);
    this.#sweepAt = this.#items.length * 2 + SLACK;
  }

  #rise(at: number): void {
    const items = this.#items;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(items[at]!, items[parent]!)) return;
      [items[at], items[parent]] = [items[parent]!, items[at]!];
      at = parent;
    }
  }

  #sink(at: number): void {
    const items = this.#items;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < items.length && isBefore(items[child]!, items[least]!)) least = child;
      }
      if (least === at) return;
      [items[at], items[least]] = [items[least]!, items[at]!];
      at = least;
    }
  }
}

function isBefore<T>(one: Item<T>, other: Item<T>): boolean {
  return one.expiresAt < other.expiresAt ||
    (one.expiresAt === other.expiresAt && one.order < other.order);
}
