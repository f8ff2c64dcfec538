/** A value, or a promise of it where getting it needs to wait. */
export type MaybePromise<T> = T | Promise<T>;

/** Goes on with a value at once when it is there: a `then` that costs a turn of the event loop only where one is needed. */
export function andThen<T, R>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<R>,
): MaybePromise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
