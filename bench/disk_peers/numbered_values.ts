import { Buffer } from "node:buffer";
import { DIMENSIONS, itemOf, makeItems } from "./items.ts";
import type { Item } from "./peer.ts";

const VALUE_BYTES = DIMENSIONS * 4;

const noise = makeItems(1)[0]!.bytes;
const twice = new Uint8Array(2 * VALUE_BYTES);
twice.set(noise);
twice.set(noise, VALUE_BYTES);

/** The key of a number below ten million. */
export function keyOf(at: number): string {
  return `embedding-3-large:${String(at).padStart(7, "0")}`;
}

/** Noise that starts elsewhere for each number, with the number at both ends: quick to make and to compare. */
function fillVector(at: number, vector: Float32Array<ArrayBuffer>): void {
  const start = at * 52 % VALUE_BYTES;
  new Uint8Array(vector.buffer).set(twice.subarray(start, start + VALUE_BYTES));
  vector[0] = at;
  vector[DIMENSIONS - 1] = -at;
}

/** Makes items of consecutive numbers. */
export function makeNumbered(first: number, count: number): Item[] {
  return Array.from({ length: count }, (_, offset) => {
    const at = first + offset;
    const vector = new Float32Array(DIMENSIONS);
    fillVector(at, vector);
    return itemOf(at, keyOf(at), vector);
  });
}

const expected = new Float32Array(DIMENSIONS);
const expectedBytes = Buffer.from(expected.buffer);

/** Whether all bytes of a value are those of its number. */
export function isValueOf(at: number, value: Uint8Array | Float32Array): boolean {
  fillVector(at, expected);
  return expectedBytes.equals(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
}
