import { countKeys } from "./stream.ts";

/**
 * The hit ratio of the optimum, in percent: evicts what is asked for again
 * latest, and does not take in what would be that. Belady, "A study of
 * replacement algorithms for a virtual-storage computer" (1966).
 */
export function beladyHitRatio(requests: Uint32Array, entries: number): number {
  const nextUse = new Float64Array(requests.length);
  const lastSeen = new Float64Array(countKeys(requests)).fill(Infinity);
  for (let at = requests.length - 1; at >= 0; at--) {
    nextUse[at] = lastSeen[requests[at]!]!;
    lastSeen[requests[at]!] = at;
  }
  /** The next use of each key that is held. */
  const held = new Map<number, number>();
  const heap = new MaxHeap();
  let hits = 0;
  for (let at = 0; at < requests.length; at++) {
    const key = requests[at]!;
    if (held.has(key)) hits++;
    held.set(key, nextUse[at]!);
    heap.push(nextUse[at]!, key);
    while (held.size > entries) {
      const [when, victim] = heap.pop();
      // What was used since stands in the heap once more.
      if (held.get(victim) === when) held.delete(victim);
    }
  }
  return 100 * hits / requests.length;
}

/** Pairs of a time and a key, the latest time first. */
class MaxHeap {
  readonly #times: number[] = [];
  readonly #keys: number[] = [];

  push(time: number, key: number): void {
    let at = this.#times.length;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (this.#times[parent]! >= time) break;
      this.#put(at, this.#times[parent]!, this.#keys[parent]!);
      at = parent;
    }
    this.#put(at, time, key);
  }

  pop(): [time: number, key: number] {
    const top: [number, number] = [this.#times[0]!, this.#keys[0]!];
    const time = this.#times.pop()!;
    const key = this.#keys.pop()!;
    const { length } = this.#times;
    if (length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && this.#times[child + 1]! > this.#times[child]!) child++;
      if (this.#times[child]! <= time) break;
      this.#put(at, this.#times[child]!, this.#keys[child]!);
      at = child;
    }
    this.#put(at, time, key);
    return top;
  }

  #put(at: number, time: number, key: number): void {
    this.#times[at] = time;
    this.#keys[at] = key;
  }
}
