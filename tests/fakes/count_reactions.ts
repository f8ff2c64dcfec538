/**
 * Runs some work and counts what waits for each promise meanwhile. A promise
 * keeps the results of all that `Promise.race` has made of it and of others
 * until it settles, so one that lives as long as a stream must not be raced
 * against at each step.
 *
 * @returns how much waits for the promise that is waited for most.
 */
export async function countReactions(work: () => Promise<unknown>): Promise<number> {
  const counts = new Map<unknown, number>();
  const { then } = Promise.prototype;
  Promise.prototype.then = function (this: Promise<unknown>, ...reactions) {
    counts.set(this, (counts.get(this) ?? 0) + 1);
    return then.apply(this, reactions) as never;
  };
  try {
    await work();
  } finally {
    Promise.prototype.then = then;
  }
  return Math.max(0, ...counts.values());
}
