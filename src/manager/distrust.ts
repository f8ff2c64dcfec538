import { compileGlob } from "../glob.ts";

/** Keys remembered one by one; with more, all keys of the tier are distrusted. */
const MAX_KEYS = 65_536;

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

/**
 * The keys under which a store may still hold what should be gone, because a
 * write, delete or clear of them failed. A later success mends a key.
 */
export class Distrust {
  #order = 0;
  /** The order of the last failed write of each key. */
  readonly #failed = new Map<string, number>();
  #failedClears: FailedClear[] = [];
  /** The order of the last successful write of each key since the first failed clear. */
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

  /** Begins a write of keys. */
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

  /** A clear failed: all that match are distrusted. */
  addMatching(pattern: string | undefined): void {
    const matches = pattern === undefined ? () => true : compileGlob(pattern);
    this.#failedClears = this.#failedClears.filter((clear) => clear.pattern !== pattern);
    this.#failedClears.push({ pattern, matches, order: ++this.#order });
  }

  /** A clear succeeded. */
  cleared(pattern: string | undefined): void {
    if (this.isEmpty) return;
    const matches = pattern === undefined ? () => true : compileGlob(pattern);
    for (const key of this.#failed.keys()) {
      if (matches(key)) this.#failed.delete(key);
    }
    this.#failedClears = pattern === undefined
      ? []
      : this.#failedClears.filter((clear) => clear.pattern !== pattern);
    if (this.#failedClears.length === 0) this.#mended.clear();
  }

  #succeed(key: string, order: number): void {
    // A success that is older than the failure says nothing about what followed it.
    if ((this.#failed.get(key) ?? Infinity) <= order) this.#failed.delete(key);
    if (this.#failedClears.length > 0) this.#mended.set(key, order);
  }

  #fail(key: string, order: number): void {
    this.#failed.set(key, Math.max(order, this.#failed.get(key) ?? 0));
    this.#mended.delete(key);
    if (this.#failed.size > MAX_KEYS) {
      this.#failed.clear();
      this.addMatching(undefined);
    }
  }
}
