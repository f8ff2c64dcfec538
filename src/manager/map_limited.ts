/**
 * Maps with a bounded number of calls under way, in order.
 *
 * @returns results in the order of the items.
 */
export async function mapLimited<T, R>(
  items: readonly T[],
  limit: number,
  map: (item: T) => Promise<R>,
): Promise<R[]> {
  if (items.length <= limit) return await Promise.all(items.map(map));
  const results = new Array<R>(items.length);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++;
      results[at] = await map(items[at]!);
    }
  };
  await Promise.all(Array.from({ length: limit }, work));
  return results;
}
