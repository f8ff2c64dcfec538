import { testOf } from "../glob.ts";

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

  /** Begins a write or clear. @returns its place in the order of all of them. */
  begin(): number {
    return ++this.#order;
  }

  /** A write has ended, maybe after it was told to have failed: the store holds what was asked for. */
  succeeded(keys: readonly string[], order: number): void {
    if (this.isEmpty) return;
    for (const key of keys) this.#succeed(key, order);
  }

  /** A write has failed: what the store holds is not known. */
  failed(keys: readonly string[], order: number): void {
    for (const key of keys) this.#fail(key, order);
  }

  /**
   * A clear has ended: the store holds nothing that matches.
   *
   * @param stragglers keys of which an earlier write may take effect yet.
   */
  cleared(pattern: string | undefined, order: number, stragglers: ReadonlySet<string>): void {
    if (this.isEmpty && stragglers.size === 0) return;
    const matches = testOf(pattern);
    for (const [key, failedAt] of this.#failed) {
      if (failedAt < order && matches(key)) this.#failed.delete(key);
    }
    this.#failedClears = this.#failedClears.filter((clear) =>
      clear.order > order || (pattern !== undefined && clear.pattern !== pattern)
    );
    if (this.#failedClears.length === 0) this.#mended.clear();
    for (const key of stragglers) if (matches(key)) this.#fail(key, order);
  }

  /** A clear has failed: what the store holds of all that matches is not known. */
  clearFailed(pattern: string | undefined, order: number): void {
    this.#failedClears = this.#failedClears.filter((clear) => clear.pattern !== pattern);
    this.#failedClears.push({ pattern, matches: testOf(pattern), order });
    if (this.#failedClears.length > MAX_CLEARS) this.#failAll();
  }

  /** When a clear that failed was begun, of a pattern or of everything; `undefined` where none did. */
  orderOfClear(pattern: string | undefined): number | undefined {
    const own = this.#failedClears.find((clear) => clear.pattern === pattern);
    return (own ?? this.#failedClears.find((clear) => clear.pattern === undefined))?.order;
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

  #failAll(): void {
    this.#failedClears = [{ pattern: undefined, matches: testOf(undefined), order: this.begin() }];
  }
}
