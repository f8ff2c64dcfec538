import type { Item } from "./peer.ts";

/** Dimensions of a vector: 6,144 bytes. */
export const DIMENSIONS = 1536;

/** An item of a value. */
export function itemOf(at: number, key: string, vector: Float32Array<ArrayBuffer>): Item {
  const bytes = new Uint8Array(vector.buffer);
  return { at, key, vector, bytes, firstNumber: vector[0]!, secondByte: bytes[1]! };
}

/** Makes values that all differ, with keys of 24 characters. */
export function makeItems(count: number): Item[] {
  return Array.from({ length: count }, (_, at) => {
    const vector = new Float32Array(DIMENSIONS);
    const bits = new Uint32Array(vector.buffer);
    // xorshift32; the exponent is kept so that all are numbers between 1 and 2.
    let state = (at + 1) * 0x9e3779b1 >>> 0 || 1;
    for (let word = 0; word < DIMENSIONS; word++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state = (state ^ state << 5) >>> 0;
      bits[word] = 0x3f80_0000 | state >>> 9;
    }
    const key = `embedding-3-small:${String(at).padStart(6, "0")}`;
    return itemOf(at, key, vector);
  });
}

/** The same items in an order without pattern, the same in every run. */
export function shuffled(items: readonly Item[]): Item[] {
  const result = [...items];
  let state = 0x2545_f491;
  for (let at = result.length - 1; at > 0; at--) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 >>> 0;
    const other = state % (at + 1);
    [result[at], result[other]] = [result[other]!, result[at]!];
  }
  return result;
}
