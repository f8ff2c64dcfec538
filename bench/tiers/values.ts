import { scaled } from "../suite/scale.ts";

/** A size of values. */
export interface Size {
  readonly name: string;
  readonly bytes: number;
}

/** Small records, vectors of 384 and of 1,536 floats, documents, models' outputs. */
export const SIZES: readonly Size[] = [
  { name: "100 B", bytes: 100 },
  { name: "1.5 KB", bytes: 1536 },
  { name: "6 KB", bytes: 6144 },
  { name: "100 KB", bytes: 100 << 10 },
  { name: "10 MB", bytes: 10 << 20 },
];

/** What stores in a network are given. */
export const NETWORK_SIZES: readonly Size[] = scaled(
  SIZES.filter(({ name }) => name === "6 KB" || name === "100 KB"),
  SIZES,
);

/** All values of a size together take no more than this. */
const MAX_TOTAL_BYTES = scaled(16 << 20, 64 << 20);
const MAX_KEYS = scaled(100, 500);
const MIN_KEYS = 4;

/** How many keys there are of a size. */
function countOf({ bytes }: Size): number {
  return Math.max(MIN_KEYS, Math.min(MAX_KEYS, Math.floor(MAX_TOTAL_BYTES / bytes)));
}

/** Keys as a program would have them. */
export function keysOf(size: Size): string[] {
  return Array.from(
    { length: countOf(size) },
    (_, at) => `document:${size.bytes}:${String(at).padStart(6, "0")}`,
  );
}

/** Some values without pattern, the same in every run: compression would find nothing in them. */
export function makeValues({ bytes }: Size): Uint8Array[] {
  return Array.from({ length: MIN_KEYS }, (_, seed) => {
    const value = new Uint8Array(bytes);
    let state = (seed + 1) * 0x9e37_79b1 >>> 0;
    for (let at = 0; at < bytes; at++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state = (state ^ state << 5) >>> 0;
      value[at] = state;
    }
    return value;
  });
}
