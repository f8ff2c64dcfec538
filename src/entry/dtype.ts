/** A value that is bytes already, and goes into a frame without a serializer. */
export type BinaryValue = ArrayBufferView | ArrayBuffer;

/** Number in frames, name for error messages, and how a value is laid over bytes. */
interface Dtype {
  readonly id: number;
  readonly name: string;
  readonly bytesPerElement: number;
  readonly view: (buffer: ArrayBuffer, offset: number, byteLength: number) => BinaryValue;
}

type ArrayConstructor = {
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, offset: number, length: number): ArrayBufferView;
};

function typedArray(id: number, constructor: ArrayConstructor): Dtype {
  const bytesPerElement = constructor.BYTES_PER_ELEMENT;
  return {
    id,
    name: constructor.name,
    bytesPerElement,
    view: (buffer, offset, byteLength) =>
      new constructor(buffer, offset, byteLength / bytesPerElement),
  };
}

/** Float16Array is not in Node before 24 nor in the ES2024 library, hence looked up by name. */
const float16 = (globalThis as { Float16Array?: ArrayConstructor }).Float16Array;

const FLOAT32: Dtype = typedArray(11, Float32Array);

const DTYPES: readonly Dtype[] = [
  typedArray(1, Uint8Array),
  typedArray(2, Int8Array),
  typedArray(3, Uint8ClampedArray),
  typedArray(4, Int16Array),
  typedArray(5, Uint16Array),
  typedArray(6, Int32Array),
  typedArray(7, Uint32Array),
  typedArray(8, BigInt64Array),
  typedArray(9, BigUint64Array),
  ...(float16 === undefined ? [] : [typedArray(10, float16)]),
  FLOAT32,
  typedArray(12, Float64Array),
  {
    id: 13,
    name: "ArrayBuffer",
    bytesPerElement: 1,
    view: (buffer, offset, byteLength) => buffer.slice(offset, offset + byteLength),
  },
  {
    id: 14,
    name: "DataView",
    bytesPerElement: 1,
    view: (buffer, offset, byteLength) => new DataView(buffer, offset, byteLength),
  },
];

const BY_ID: ReadonlyMap<number, Dtype> = new Map(DTYPES.map((dtype) => [dtype.id, dtype]));
const BY_NAME: ReadonlyMap<string, Dtype> = new Map(DTYPES.map((dtype) => [dtype.name, dtype]));

/** Tells whether a value is bytes already. Memory shared with other threads is not: it may change under the cache. */
export function isBinary(value: unknown): value is BinaryValue {
  if (ArrayBuffer.isView(value)) return !isShared(value.buffer);
  return value instanceof ArrayBuffer;
}

/**
 * The number under which a frame names the type of a binary value.
 * A subclass counts as what it extends: a `Buffer` is a Uint8Array.
 */
export function dtypeOf(value: BinaryValue): number {
  if (value instanceof Float32Array) return FLOAT32.id;
  if (value instanceof Uint8Array) return 1;
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  const dtype = BY_NAME.get(tag);
  if (dtype === undefined) {
    throw new TypeError(`Cannot store value: typed arrays of type ${tag} are not supported`);
  }
  return dtype.id;
}

/** The bytes of a binary value, without a copy. */
export function bytesOf(value: BinaryValue): Uint8Array {
  if (value instanceof Uint8Array) return value;
  return ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
}

/** A copy of a binary value in a buffer of its own, of the plain type that its dtype names. */
export function copyBinary<T extends BinaryValue>(value: T): T {
  if (value instanceof Float32Array) return new Float32Array(value) as BinaryValue as T;
  return viewBinary(dtypeOf(value), bytesOf(value).slice()) as T;
}

/** Whether a frame may name this dtype for this many bytes. */
export function isDtypeLength(id: number, byteLength: number): boolean {
  const dtype = BY_ID.get(id);
  return dtype !== undefined && byteLength % dtype.bytesPerElement === 0;
}

/**
 * Lays a value of a dtype over bytes: a view where their alignment allows it,
 * else over a copy. The caller has checked {@linkcode isDtypeLength}.
 */
export function viewBinary(id: number, bytes: Uint8Array): BinaryValue {
  const dtype = BY_ID.get(id) as Dtype;
  const aligned = bytes.byteOffset % dtype.bytesPerElement === 0 ? bytes : bytes.slice();
  return dtype.view(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength);
}

function isShared(buffer: ArrayBufferLike): boolean {
  return typeof SharedArrayBuffer !== "undefined" && buffer instanceof SharedArrayBuffer;
}
