/** What came of an operation on each of many. */
export interface Settled<I, T> {
  /** Results, by the item. */
  readonly values: ReadonlyMap<I, T>;
  /** Those for which it failed, in their order. */
  readonly failed: readonly { readonly item: I; readonly error: unknown }[];
}

/**
 * Does something for each of many, and waits for all of them.
 *
 * @throws the signal's reason, and what a caller has done wrong.
 */
export async function settleAll<I, T>(
  items: readonly I[],
  operate: (item: I) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<Settled<I, T>> {
  signal?.throwIfAborted();
  const outcomes = await Promise.allSettled(items.map(operate));
  signal?.throwIfAborted();
  const values = new Map<I, T>();
  const failed: { item: I; error: unknown }[] = [];
  for (const [at, outcome] of outcomes.entries()) {
    const item = items[at] as I;
    if (outcome.status === "fulfilled") values.set(item, outcome.value);
    else if (outcome.reason instanceof TypeError || outcome.reason instanceof RangeError) {
      throw outcome.reason;
    } else failed.push({ item, error: outcome.reason });
  }
  return { values, failed };
}
