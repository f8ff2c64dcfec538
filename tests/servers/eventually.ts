/** How long another process may take, in milliseconds. */
const LIMIT_MS = 90_000;

/**
 * Waits for what another process does, by looking again and again.
 *
 * @param look resolves with what was waited for, or with `undefined` or `false`
 * while it is not there; a rejection is "not yet" too.
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const limit = Date.now() + LIMIT_MS;
  let trouble: unknown;
  while (Date.now() < limit) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      trouble = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`Waited for this in vain: ${what}`, { cause: trouble });
}
