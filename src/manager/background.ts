/** Work that nobody waits for, until the cache is flushed or closed. */
export class Background {
  readonly #running = new Set<Promise<void>>();
  readonly #onError: (error: unknown) => void;

  /** @param onError told of every failure; must not throw. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Takes over work that is under way. */
  run(work: Promise<unknown>): void {
    const running: Promise<void> = work.then(() => {}, this.#onError).then(() => {
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  /** Resolves when all work under way, and what it began, has ended. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
