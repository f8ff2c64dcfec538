/** A typed array that can hold one number a slot. */
export type SlotArray = Int32Array | Uint32Array | Uint8Array | Float64Array;

/** Slots that the first allocation has room for. */
const FIRST_LENGTH = 64;

/** By how much an array grows: little is left unused, and an element is copied three times at most. */
const GROWTH = 1.5;

/**
 * The array itself while it has an element at `index`, else a longer copy of it.
 *
 * @param array is given up when a copy is returned.
 */
export function grown<T extends SlotArray>(array: T, index: number): T {
  if (index < array.length) return array;
  const length = Math.max(FIRST_LENGTH, index + 1, Math.ceil(array.length * GROWTH));
  const larger = new (array.constructor as new (length: number) => T)(length);
  larger.set(array);
  return larger;
}
