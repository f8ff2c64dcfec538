/** A generation of one key, shared by all who hold a ticket for it. */
interface Fence {
  tickets: number;
  generation: number;
}

/** Says whether what began when it was issued may still be stored. */
export class Ticket {
  readonly #fence: Fence;
  readonly #generation: number;
  readonly #release: () => void;

  constructor(fence: Fence, release: () => void) {
    this.#fence = fence;
    this.#generation = fence.generation;
    this.#release = release;
  }

  /** False once its key was written, deleted or cleared. */
  get isValid(): boolean {
    return this.#fence.generation === this.#generation;
  }

  /** Gives the ticket back; each must be, once. */
  close(): void {
    this.#release();
  }
}

/**
 * Keeps late results out: what a load or a promotion began to fetch before a
 * write or delete of its key must not be stored after it. Costs nothing for
 * keys that nobody fetches.
 */
export class Fences {
  readonly #fences = new Map<string, Fence>();

  /** Begins to fetch a key. */
  open(key: string): Ticket {
    let fence = this.#fences.get(key);
    if (fence === undefined) this.#fences.set(key, fence = { tickets: 0, generation: 0 });
    fence.tickets++;
    const held = fence;
    return new Ticket(held, () => {
      if (--held.tickets === 0) this.#fences.delete(key);
    });
  }

  /** Makes the tickets of a key invalid. */
  cut(key: string): void {
    const fence = this.#fences.get(key);
    if (fence !== undefined) fence.generation++;
  }

  /** Makes the tickets of all keys that match invalid. */
  cutMatching(matches: (key: string) => boolean): void {
    for (const [key, fence] of this.#fences) {
      if (matches(key)) fence.generation++;
    }
  }
}
