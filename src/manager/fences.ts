import type { ChangeWatcher } from "../warming/changes.ts";

/** A generation of one key, shared by all who hold a ticket for it. */
interface Fence {
  tickets: number;
  generation: number;
  /** The newest generation whose write or delete has been handed to the tiers. */
  handed: number;
  /** Writes and deletes of the key that have not ended yet. */
  writes: number;
  /** Clears that have passed it, in their order; each is older, by its version, than those before it. */
  clears: PassedClear[] | undefined;
}

/** A clear that a write under way has to be compared with. */
interface PassedClear {
  readonly generation: number;
  /** Writes up to this version are older than the clear. */
  readonly upTo: number;
}

function newFence(): Fence {
  return { tickets: 0, generation: 0, handed: 0, writes: 0, clears: undefined };
}

/** Says whether what began when it was issued may still be stored. */
export class Ticket {
  readonly #fence: Fence;
  readonly #release: () => void;
  /** Whether no write of the key was under way when it was issued. */
  readonly #isClean: boolean;
  #generation: number;

  /** @param release called once, by {@linkcode Ticket.close}. */
  constructor(fence: Fence, isClean: boolean, release: () => void) {
    this.#fence = fence;
    this.#generation = fence.generation;
    this.#isClean = isClean;
    this.#release = release;
  }

  /** False once its key was written, deleted or cleared. */
  get isValid(): boolean {
    return this.#fence.generation === this.#generation;
  }

  /**
   * Whether no write of the key was under way at any time since it was issued.
   * If one was, a tier may have been read before that write came to it, and
   * what it gave must not be copied into a tier that the write has passed.
   */
  get isUndisturbed(): boolean {
    return this.#isClean && this.isValid;
  }

  /** Makes it valid again: what it stands for begins only now. */
  renew(): void {
    this.#generation = this.#fence.generation;
  }

  /** Gives the ticket back; each must be, once. */
  close(): void {
    this.#release();
  }
}

/** A ticket that several pieces of work need; it is given back when the last of them has ended. */
export class SharedTicket {
  /** The ticket. */
  readonly ticket: Ticket;
  #users = 1;

  constructor(ticket: Ticket) {
    this.ticket = ticket;
  }

  /** Takes part until {@linkcode SharedTicket.leave}. */
  join(): this {
    this.#users++;
    return this;
  }

  /** Takes part until some work has ended. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.join();
    try {
      return await work;
    } finally {
      this.leave();
    }
  }

  /** Takes part no longer; to be called once by whoever made it, and once for each time it was joined. */
  leave(): void {
    if (--this.#users === 0) this.ticket.close();
  }
}

/** The ticket of a write. */
export class WriteTicket {
  readonly #fence: Fence;
  readonly #generation: number;
  readonly #release: () => void;
  /** Whether fetches take note of the write. */
  #isNoted = false;

  /** @param release called once, by {@linkcode WriteTicket.close}. */
  constructor(fence: Fence, release: () => void) {
    this.#fence = fence;
    this.#generation = ++fence.generation;
    this.#release = release;
  }

  /** Makes tickets invalid that are there, and those that come before it is closed disturbed. */
  note(): this {
    if (this.#isNoted) return this;
    this.#isNoted = true;
    this.#fence.generation++;
    this.#fence.writes++;
    return this;
  }

  /**
   * Asks, just before the write is handed to all tiers, whether it may be.
   *
   * @param version of what is written. A delete is handed as it is opened: no clear comes between. @default 0
   * @returns false when a later one, or a later clear, has been: this one would undo it.
   */
  hand(version = 0): boolean {
    if (this.#fence.handed > this.#generation || this.#isCleared(version)) return false;
    this.#fence.handed = this.#generation;
    this.note();
    return true;
  }

  /** Gives the ticket back; each must be, once. */
  close(): void {
    if (this.#isNoted) this.#fence.writes--;
    this.#release();
  }

  #isCleared(version: number): boolean {
    const { clears } = this.#fence;
    return clears !== undefined &&
      clears.some(({ generation, upTo }) => generation > this.#generation && version <= upTo);
  }
}

/**
 * Keeps late results out: what a load or a promotion began to fetch before a
 * write or delete of its key has ended must not be stored after it. Costs
 * nothing for keys that nobody fetches or writes.
 */
export class Fences {
  readonly #fences = new Map<string, Fence>();
  /** The clears that have not ended yet. */
  readonly #clears = new Set<(key: string) => boolean>();
  /** Told of every write, delete and clear before it is made; `undefined` where nobody has to be. */
  watcher: ChangeWatcher | undefined;

  /** Tells a watcher of the changes under way, which it has not been told of. */
  tell(watcher: ChangeWatcher): void {
    for (const key of this.#fences.keys()) watcher.changed(key);
    for (const matches of this.#clears) watcher.cleared(matches);
  }

  /** Whether nobody is fetching, writing or clearing a key: what is read at once may be copied at once. */
  isQuiet(key: string): boolean {
    return !this.#fences.has(key) && (this.#clears.size === 0 || !this.#isBeingCleared(key));
  }

  /** Begins to fetch a key. */
  open(key: string): Ticket {
    const fence = this.#fence(key);
    const isClean = fence.writes === 0 && !this.#isBeingCleared(key);
    return new Ticket(fence, isClean, () => this.#release(key, fence));
  }

  /** Begins to write or delete a key: makes its tickets invalid. */
  openWrite(key: string): WriteTicket {
    return this.openStream(key).note();
  }

  /**
   * Begins a write that takes its time. It makes the tickets invalid that are
   * there, but disturbs no later ones until it is handed to the tiers: nothing
   * of it can be read before.
   */
  openStream(key: string): WriteTicket {
    this.watcher?.changed(key);
    const fence = this.#fence(key);
    return new WriteTicket(fence, () => this.#release(key, fence));
  }

  /** Another process has changed a key: makes its tickets invalid. */
  invalidate(key: string): void {
    const fence = this.#fences.get(key);
    if (fence !== undefined) fence.generation++;
  }

  /** Others may have changed any key: makes all tickets invalid. Writes under way go on: they are this process's own. */
  invalidateAll(): void {
    for (const fence of this.#fences.values()) fence.generation++;
    this.watcher?.cleared(() => true);
  }

  /**
   * Begins to clear the keys that match, and hands that to the tiers: makes
   * their tickets invalid, and keeps the writes under way from being handed
   * after it that are as old as it.
   *
   * @param upTo the version of a clear that was made before it is known here:
   * what was begun between is newer. @default Infinity, for one that begins now
   * @returns a function that ends it, to be called once.
   */
  openClear(matches: (key: string) => boolean, upTo = Infinity): () => void {
    for (const [key, fence] of this.#fences) {
      if (!matches(key)) continue;
      const newer = fence.clears?.filter((clear) => clear.upTo > upTo) ?? [];
      fence.clears = [...newer, { generation: ++fence.generation, upTo }];
    }
    this.watcher?.cleared(matches);
    // Two clears may have the same test.
    const clear = (key: string): boolean => matches(key);
    this.#clears.add(clear);
    return () => void this.#clears.delete(clear);
  }

  #fence(key: string): Fence {
    let fence = this.#fences.get(key);
    if (fence === undefined) {
      this.#fences.set(key, fence = newFence());
    }
    fence.tickets++;
    return fence;
  }

  #release(key: string, fence: Fence): void {
    if (--fence.tickets === 0) this.#fences.delete(key);
  }

  #isBeingCleared(key: string): boolean {
    for (const matches of this.#clears) {
      if (matches(key)) return true;
    }
    return false;
  }
}
