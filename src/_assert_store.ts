import { show } from "./config.ts";

/**
 * Checks that what is given as cache has the methods that are called on it.
 *
 * @param subject begins the message of an error, as in `Cannot create embedding cache`.
 * @throws {TypeError} naming the first method that is not there.
 */
export function assertStore<T extends object>(
  subject: string,
  cache: T,
  methods: readonly (keyof T & string)[],
): void {
  if (typeof cache !== "object" || cache === null) {
    throw new TypeError(`${subject}: 'cache' must be a Cache: current value is ${show(cache)}`);
  }
  if (cache instanceof Promise) {
    throw new TypeError(`${subject}: 'cache' is a promise: await CacheManager.open() first`);
  }
  const missing = methods.find((method) => typeof cache[method] !== "function");
  if (missing !== undefined) {
    throw new TypeError(`${subject}: 'cache' must be a Cache: it has no method '${missing}'`);
  }
}
