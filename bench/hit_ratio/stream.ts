/** Requests of keys by number, numbers dense from 0. */
export interface RequestStream {
  readonly name: string;
  /** What it is like. */
  readonly about: string;
  readonly requests: Uint32Array;
  /** What is known of it, by how many entries a cache has. */
  readonly sizes: readonly StreamSize[];
}

/** What is known of a stream and a number of entries. */
export interface StreamSize {
  readonly entries: number;
  /** The hit ratio of the best online policy known, in percent. */
  readonly best?: number | undefined;
  /** The hit ratio of the optimum, in percent. */
  readonly belady?: number | undefined;
  /** The better of the reference's hit ratios of W-TinyLFU, in percent. */
  readonly wTinyLfu?: number | undefined;
}

/** How many keys there are. */
export function countKeys(requests: Uint32Array): number {
  let most = -1;
  for (const key of requests) most = Math.max(most, key);
  return most + 1;
}
