/**
 * The changes that a server with tracking will report to the connection that
 * made them: NOLOOP leaves out what commands change, but not what scripts do.
 *
 * A change by somebody else that is reported together with an own one is
 * taken for it. Other caches publish theirs besides.
 */
export class Echoes {
  readonly #expected = new Set<string>();
  #isListening = false;

  /** Reports arrive from now on. */
  listen(): void {
    this.#isListening = true;
  }

  /** No reports arrive any more. */
  stop(): void {
    this.#isListening = false;
    this.#expected.clear();
  }

  /** A script that may change a stored key is sent. */
  expect(stored: string): void {
    if (this.#isListening) this.#expected.add(stored);
  }

  /** A script has not changed it. */
  unexpect(stored: string): void {
    this.#expected.delete(stored);
  }

  /** Whether a report is of an own change. */
  isOwn(stored: string): boolean {
    return this.#expected.delete(stored);
  }
}
