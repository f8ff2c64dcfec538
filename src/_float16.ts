/*
 * IEEE 754 binary16: 1 sign bit, 5 of exponent with a bias of 15, 10 of fraction.
 */

type Float16Constructor = new (
  source: ArrayLike<number> | ArrayBufferLike,
  byteOffset?: number,
  length?: number,
) => ArrayLike<number> & { readonly buffer: ArrayBuffer };

/** The runtime's own, which is in no ES2024 library yet. */
const Float16 = (globalThis as { Float16Array?: Float16Constructor }).Float16Array;

const scratch = new DataView(new ArrayBuffer(4));

/** Rounds to binary16, to nearest, ties to even; gives the bits. */
export function float16Bits(vector: Float32Array): Uint16Array {
  return Float16 === undefined
    ? portableFloat16Bits(vector)
    : new Uint16Array(new Float16(vector).buffer);
}

/** The numbers of such bits, exactly. */
export function fromFloat16Bits(bits: Uint16Array): Float32Array {
  if (Float16 === undefined) return portableFromFloat16Bits(bits);
  const { buffer, byteOffset, length } = bits;
  return new Float32Array(new Float16(buffer, byteOffset, length));
}

/** What {@linkcode float16Bits} does where the runtime cannot. */
export function portableFloat16Bits(vector: Float32Array): Uint16Array {
  return Uint16Array.from(vector, bitsOf);
}

/** What {@linkcode fromFloat16Bits} does where the runtime cannot. */
export function portableFromFloat16Bits(bits: Uint16Array): Float32Array {
  return Float32Array.from(bits, numberOf);
}

function bitsOf(number: number): number {
  scratch.setFloat32(0, number);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | 0x7e00;
  // From halfway between the largest number and the next one that there would be.
  if (magnitude >= 0x477f_f000) return sign | 0x7c00;
  // The least normal number, 2^-14.
  if (magnitude >= 0x3880_0000) return sign | roundedShift(magnitude - 0x3800_0000, 13);
  const exponent = magnitude >>> 23;
  // Below half of the least subnormal, 2^-25.
  if (exponent < 102) return sign;
  return sign | roundedShift((magnitude & 0x7f_ffff) | 0x80_0000, 126 - exponent);
}

/** Shifts right, rounding to nearest, ties to even. A carry runs into the exponent, as it should. */
function roundedShift(value: number, places: number): number {
  const kept = value >>> places;
  const rest = value & ((1 << places) - 1);
  const half = 1 << (places - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}

function numberOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
