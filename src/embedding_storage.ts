import { float16Bits, fromFloat16Bits } from "./_float16.ts";
import { isVector } from "./_vector.ts";

/**
 * How the tiers hold vectors.
 *
 * - `"float32"`: bit for bit.
 * - `"float16-lossy"`: half the bytes; each number keeps 11 significant bits,
 *   which moves a vector of unit length by a cosine of about 3e-8.
 * - `"int8-lossy"`: a quarter of the bytes and 4 more; each number is one of
 *   255 steps up to the vector's largest (scalar quantization), which moves it
 *   by a cosine of about 1e-4.
 */
export type EmbeddingStorageName = "float32" | "float16-lossy" | "int8-lossy";

/** One way of holding vectors. */
export interface EmbeddingStorage {
  /** Stands in the keys, so that what one way has stored is never read by another. */
  readonly mark: string;
  /** Makes what is stored of a vector. The vector is not changed. */
  readonly pack: (vector: Float32Array) => Float32Array | Uint16Array | Uint8Array;
  /**
   * Brings a vector back.
   *
   * @param dimensions the length it must have, `undefined` for any but 0.
   * @returns `undefined` for what {@linkcode EmbeddingStorage.pack} does not make.
   */
  readonly unpack: (value: unknown, dimensions: number | undefined) => Float32Array | undefined;
}

/** The largest number of binary16 (IEEE 754-2019). */
const MAX_FLOAT16 = 65504;

/** Where the largest number is below this, the small ones of a vector come too near to binary16's least step, 2^-24. */
const LEAST_PEAK = 2 ** -10;

const SCALE_BYTES = 4;
const STEPS = 127;

/** The least normal float32. */
const LEAST_STEP = 2 ** -126;

const FLOAT32: EmbeddingStorage = {
  mark: "",
  pack: (vector) => vector,
  unpack: (value, dimensions) => isVector(value, dimensions) ? value : undefined,
};

/** As bits in a Uint16Array, since not every runtime has a Float16Array. */
const FLOAT16: EmbeddingStorage = {
  mark: "~f16",
  pack: (vector) => {
    const peak = peakOf(vector);
    // What binary16 cannot hold well stays as it is.
    return peak > MAX_FLOAT16 || peak < LEAST_PEAK ? vector : float16Bits(vector);
  },
  unpack: (value, dimensions) => {
    if (!(value instanceof Uint16Array)) return FLOAT32.unpack(value, dimensions);
    const vector = fromFloat16Bits(value);
    return isVector(vector, dimensions) ? vector : undefined;
  },
};

/** One step as a little-endian float32, then the numbers of steps. */
const INT8: EmbeddingStorage = {
  mark: "~i8",
  pack: (vector) => {
    const step = Math.fround(peakOf(vector) / STEPS);
    // Too small or too large for float32 to hold all steps well.
    if (!isStep(step)) return vector;
    const bytes = new Uint8Array(SCALE_BYTES + vector.length);
    new DataView(bytes.buffer).setFloat32(0, step, true);
    const steps = new Int8Array(bytes.buffer, SCALE_BYTES);
    for (let at = 0; at < vector.length; at++) steps[at] = Math.round(vector[at]! / step);
    return bytes;
  },
  unpack: (value, dimensions) => {
    if (!(value instanceof Uint8Array)) return FLOAT32.unpack(value, dimensions);
    const length = value.length - SCALE_BYTES;
    if (length < 1 || (dimensions !== undefined && length !== dimensions)) return undefined;
    const { buffer, byteOffset } = value;
    const step = new DataView(buffer, byteOffset).getFloat32(0, true);
    if (!isStep(step)) return undefined;
    const steps = new Int8Array(buffer, byteOffset + SCALE_BYTES, length);
    const vector = new Float32Array(length);
    for (let at = 0; at < length; at++) vector[at] = steps[at]! * step;
    return vector;
  },
};

/** The ways by their names. */
export const EMBEDDING_STORAGES: Readonly<Record<EmbeddingStorageName, EmbeddingStorage>> = {
  "float32": FLOAT32,
  "float16-lossy": FLOAT16,
  "int8-lossy": INT8,
};

function isStep(step: number): boolean {
  return step >= LEAST_STEP && Number.isFinite(Math.fround(step * STEPS));
}

function peakOf(vector: Float32Array): number {
  let peak = 0;
  for (let at = 0; at < vector.length; at++) peak = Math.max(peak, Math.abs(vector[at]!));
  return peak;
}
