import type { LoadContext, LoadManyContext } from "../../src/manager/cache.ts";

/** A call of a {@linkcode HeldLoader} that waits to be answered. */
export interface HeldLoad extends LoadContext {
  readonly answer: (value: unknown) => void;
  readonly fail: (reason: unknown) => void;
}

/** A loader that answers when told to, and knows how many of its calls ran at once. */
export class HeldLoader {
  /** All calls so far. */
  readonly calls: HeldLoad[] = [];
  /** Calls that have not been answered. */
  running = 0;
  /** The most that ran at once. */
  mostAtOnce = 0;

  /** Waits to be told. */
  readonly load = (context: LoadContext): Promise<unknown> => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.running++;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.running);
    this.calls.push({
      ...context,
      answer: (value) => {
        this.running--;
        resolve(value);
      },
      fail: (reason) => {
        this.running--;
        reject(reason);
      },
    });
    return promise;
  };
}

/** A call of a {@linkcode HeldManyLoader} that waits to be answered. */
export interface HeldManyLoad extends LoadManyContext {
  readonly keys: readonly string[];
  readonly answer: (values: readonly unknown[]) => void;
  readonly fail: (reason: unknown) => void;
}

/** A loader of many keys that answers when told to. */
export class HeldManyLoader {
  /** All calls so far. */
  readonly calls: HeldManyLoad[] = [];

  /** Waits to be told. */
  readonly load = (keys: string[], context: LoadManyContext): Promise<readonly unknown[]> => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly unknown[]>();
    this.calls.push({ ...context, keys, answer: resolve, fail: reject });
    return promise;
  };
}

/** A loader that answers at once with a number that counts its calls. */
export class CountingLoader {
  /** The keys asked for, in order. */
  readonly calls: string[] = [];

  /** Gives 1, then 2, and so on. */
  readonly load = ({ key }: LoadContext): number => this.calls.push(key);
}
