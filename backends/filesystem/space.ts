/** Bounds of a store on the disk. */
export interface SpaceLimits {
  /** The most bytes, as `du` counts them. */
  readonly maxBytes: number;
  /** The most entries. */
  readonly maxEntries: number;
}

/** Room on the disk: what is taken, or needed. */
export interface SpaceUsed {
  /** Bytes on the disk. */
  readonly bytes: number;
  /** Entries. */
  readonly entries: number;
}

/** What became of a request to make room. */
export type RoomOutcome = "some" | "none";

/**
 * Keeps the limits at every instant: room is set aside before anything is
 * written, and given back when what was written counts by itself. Those that
 * wait for room are served in the order in which they came.
 */
export class Space {
  readonly limits: SpaceLimits;
  readonly #used: () => SpaceUsed;
  #reservedBytes = 0;
  #reservedEntries = 0;
  #outstanding = 0;
  #onRelease: (() => void) | undefined;
  #queue: Promise<unknown> | undefined;

  constructor(limits: SpaceLimits, used: () => SpaceUsed) {
    this.limits = limits;
    this.#used = used;
  }

  /** Whether there is any limit. */
  get isLimited(): boolean {
    return this.limits.maxBytes !== Infinity || this.limits.maxEntries !== Infinity;
  }

  /** Bytes over the limit if so many more came. */
  excessBytes(bytes: number): number {
    return this.#used().bytes + this.#reservedBytes + bytes - this.limits.maxBytes;
  }

  /** Entries over the limit if so many more came. */
  excessEntries(entries: number): number {
    return this.#used().entries + this.#reservedEntries + entries - this.limits.maxEntries;
  }

  /**
   * Sets room aside.
   *
   * @param need says what is needed; it may change while others are served.
   * @param makeRoom removes something, or waits for something that is being
   * changed; "none" when there is no such thing.
   * @param onTaken runs at the instant in which the room is set aside.
   * @returns what was set aside, `undefined` when there is not enough to be had.
   */
  reserve(
    need: () => SpaceUsed,
    makeRoom: (need: SpaceUsed) => Promise<RoomOutcome>,
    onTaken: () => void,
  ): Promise<SpaceUsed | undefined> {
    if (this.#queue === undefined) {
      const taken = this.#take(need(), onTaken);
      if (taken !== undefined) return Promise.resolve(taken);
    }
    return this.inTurn(async () => {
      for (;;) {
        const taken = this.#take(need(), onTaken);
        if (taken !== undefined) return taken;
        if (await makeRoom(need()) === "some") continue;
        // What others set aside becomes an entry that can leave, or is given back.
        if (this.#outstanding === 0) return undefined;
        await new Promise<void>((resolve) => this.#onRelease = resolve);
      }
    });
  }

  /** Runs something while nobody else is given room. All that removes files to make room does. */
  inTurn<T>(operate: () => Promise<T>): Promise<T> {
    const result = this.#queue === undefined ? operate() : this.#queue.then(operate);
    const queue = result.then(() => {}, () => {});
    this.#queue = queue;
    queue.then(() => {
      if (this.#queue === queue) this.#queue = undefined;
    });
    return result;
  }

  /** Gives room back. */
  release(taken: SpaceUsed): void {
    this.#reservedBytes -= taken.bytes;
    this.#reservedEntries -= taken.entries;
    this.#outstanding--;
    this.#onRelease?.();
    this.#onRelease = undefined;
  }

  #take(need: SpaceUsed, onTaken: () => void): SpaceUsed | undefined {
    const { bytes, entries } = need;
    if (this.excessBytes(bytes) > 0) return undefined;
    if (entries > 0 && this.excessEntries(entries) > 0) return undefined;
    this.#reservedBytes += bytes;
    this.#reservedEntries += entries;
    this.#outstanding++;
    onTaken();
    return need;
  }
}
