import { compileGlob } from "../glob.ts";

/** Keys remembered one by one; with more, all keys of the tier are distrusted. */
const MAX_KEYS = 65_536;

/** Failed clears remembered one by one; with more, all keys of the tier are distrusted. */
const MAX_CLEARS = 64;

/** A clear that failed. */
interface FailedClear {
  readonly pattern: string | undefined;
  readonly matches: (key: string) => boolean;
  readonly order: number;
}

/** The outcome of a write, to be told once it is known; a success may follow a failure when an operation ends late. */
export interface WriteIntent {
  /** The store holds what was asked for. */
  succeeded(): void;
  /** What the store holds is not known. */
  failed(): void;
}

/** The outcome of a clear, to be told as that of a {@linkcode WriteIntent}. */
export interface ClearIntent {
  /** The store holds nothing that matches, unless an earlier write of one of some keys takes effect yet. */
  succeeded(stragglers: ReadonlySet<string>): void;
  /** What the store holds is not known. */
  failed(): void;
}

/**
 * The keys under which a store may still hold what should be gone, because a
 * write, delete or clear of them failed. A later success mends a key.
 */
export class Distrust {
  #order = 0;
  /** The order of the last failed write of each key. */
  readonly #failed = new Map<string, number>();
  #failedClears: FailedClear[] = [];
  /** The order of the last successful write of each key that a failed clear concerns. */
  readonly #mended = new Map<string, number>();

  /** Whether nothing is distrusted. */
  get isEmpty(): boolean {
    return this.#failed.size === 0 && this.#failedClears.length === 0;
  }

  /** Whether what the store holds for a key may be older than what it should hold. */
  has(key: string): boolean {
    if (this.isEmpty) return false;
    if (this.#failed.has(key)) return true;
    const mended = this.#mended.get(key) ?? 0;
    return this.#failedClears.some((clear) => clear.order > mended && clear.matches(key));
  }

  /** Begins a write of keys; it counts as later than all that began before it. */
  begin(keys: readonly string[]): WriteIntent {
    const order = ++this.#order;
    return {
      succeeded: () => {
        if (this.isEmpty) return;
        for (const key of keys) this.#succeed(key, order);
      },
      failed: () => {
        for (const key of keys) this.#fail(key, order);
      },
    };
  }

  /** Begins a clear; it counts as later than all that began before it. */
  beginClear(pattern: string | undefined): ClearIntent {
    const order = ++this.#order;
    const matches = pattern === undefined ? () => true : compileGlob(pattern);
    return {
      succeeded: (stragglers) => {
        for (const [key, failedAt] of this.#failed) {
          if (failedAt < order && matches(key)) this.#failed.delete(key);
        }
        this.#failedClears = this.#failedClears.filter((clear) =>
          clear.order > order || (pattern !== undefined && clear.pattern !== pattern)
        );
        if (this.#failedClears.length === 0) this.#mended.clear();
        for (const key of stragglers) if (matches(key)) this.#fail(key, order);
      },
      failed: () => this.#failClear({ pattern, matches, order }),
    };
  }

  #succeed(key: string, order: number): void {
    // A success that is older than the failure says nothing about what followed it.
    if ((this.#failed.get(key) ?? Infinity) <= order) this.#failed.delete(key);
    if (!this.#failedClears.some((clear) => clear.matches(key))) return;
    this.#mended.set(key, Math.max(order, this.#mended.get(key) ?? 0));
    // Whatever is forgotten here is distrusted again, which costs a miss.
    if (this.#mended.size > MAX_KEYS) this.#mended.clear();
  }

  #fail(key: string, order: number): void {
    this.#failed.set(key, Math.max(order, this.#failed.get(key) ?? 0));
    if (this.#failed.size > MAX_KEYS) {
      this.#failed.clear();
      this.#failAll();
    }
  }

  #failClear(failed: FailedClear): void {
    this.#failedClears = this.#failedClears.filter((clear) => clear.pattern !== failed.pattern);
    this.#failedClears.push(failed);
    if (this.#failedClears.length > MAX_CLEARS) {
      this.#failedClears = [];
      this.#failAll();
    }
  }

  #failAll(): void {
    this.#failClear({ pattern: undefined, matches: () => true, order: ++this.#order });
  }
}
