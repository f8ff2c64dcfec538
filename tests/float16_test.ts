import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  float16Bits,
  fromFloat16Bits,
  portableFloat16Bits,
  portableFromFloat16Bits,
} from "../src/_float16.ts";

/** Numbers and their bits, from IEEE 754 binary16. */
const REFERENCE: readonly (readonly [number, number])[] = [
  [0, 0x0000],
  [-0, 0x8000],
  [1, 0x3c00],
  [-2, 0xc000],
  [65504, 0x7bff],
  [2 ** -14, 0x0400],
  [2 ** -24, 0x0001],
  [1 / 3, 0x3555],
  [Infinity, 0x7c00],
  [65519.996, 0x7bff],
  [65520, 0x7c00],
  [2 ** -25, 0x0000],
  [2 ** -25 * 1.001, 0x0001],
  [1 + 2 ** -11, 0x3c00],
  [1 + 3 * 2 ** -11, 0x3c02],
];

for (
  const [name, encode, decode] of [
    ["the runtime's way", float16Bits, fromFloat16Bits],
    ["the portable way", portableFloat16Bits, portableFromFloat16Bits],
  ] as const
) {
  describe(`binary16, ${name}`, () => {
    it("rounds to nearest, ties to even", () => {
      const bits = encode(Float32Array.from(REFERENCE, ([number]) => number));
      assert.deepEqual([...bits], REFERENCE.map(([, expected]) => expected));
    });

    it("brings back every number that it has", () => {
      const finite = Uint16Array.from({ length: 0x1_0000 }, (_, bits) => bits)
        .filter((bits) => (bits & 0x7c00) !== 0x7c00);
      assert.deepEqual(encode(decode(finite)), finite);
    });

    it("keeps what is no number one", () => {
      assert.ok(Number.isNaN(decode(encode(new Float32Array([NaN])))[0]));
    });
  });
}

describe("binary16", () => {
  it("is the same in both ways for numbers between those that it has", () => {
    const numbers = new Float32Array(1 << 18);
    const bits = new Uint32Array(numbers.buffer);
    // A step that is odd comes by every pattern of low bits.
    for (let at = 0; at < bits.length; at++) bits[at] = at * 16381;
    const finite = numbers.filter((number) => !Number.isNaN(number));
    assert.ok(finite.length > numbers.length * 0.9);
    assert.deepEqual(portableFloat16Bits(finite), float16Bits(finite));
  });
});
