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

/** Reads the name that a typed array has by its making, which a subclass cannot change; `undefined` for anything else. */
const TYPED_ARRAY_NAME = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)?.get as () => unknown;

/**
 * Tells whether a value is bytes already. Memory shared with other threads is
 * not: it may change under the cache. Nor is memory that was handed to another
 * thread: its bytes are gone.
 */
export function isBinary(value: unknown): value is BinaryValue {
  if (ArrayBuffer.isView(value)) return !isShared(value.buffer) && !isDetached(value);
  return value instanceof ArrayBuffer && !isDetached(value);
}

/** Tells whether a value is memory that was handed to another thread. */
export function isDetached(value: object): boolean {
  const buffer = ArrayBuffer.isView(value) ? value.buffer : value;
  // The length is asked first: it is cheap, and 0 for detached memory.
  return buffer instanceof ArrayBuffer && buffer.byteLength === 0 && buffer.detached;
}

/**
 * The number under which a frame names the type of a binary value.
 * A subclass counts as what it extends: a `Buffer` is a Uint8Array.
 */
export function dtypeOf(value: BinaryValue): number {
  if (value instanceof Float32Array) return FLOAT32.id;
  if (value instanceof Uint8Array) return 1;
  const name = ArrayBuffer.isView(value)
    ? TYPED_ARRAY_NAME.call(value) as string | undefined ?? "DataView"
    : "ArrayBuffer";
  const dtype = BY_NAME.get(name);
  if (dtype === undefined) {
    throw new TypeError(`Cannot store value: typed arrays of type ${name} are not supported`);
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
  return viewBinary(dtypeOf(value), new Uint8Array(bytesOf(value))) as T;
}

/** Whether a dtype is known here. */
export function isDtype(id: number): boolean {
  return BY_ID.has(id);
}

/** Whether a value of this dtype may have this many bytes. */
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
  // Not slice(): that of a Buffer is a view, as little aligned as the Buffer.
  const aligned = bytes.byteOffset % dtype.bytesPerElement === 0 ? bytes : new Uint8Array(bytes);
  return dtype.view(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength);
}

function isShared(buffer: ArrayBufferLike): boolean {
  return typeof SharedArrayBuffer !== "undefined" && buffer instanceof SharedArrayBuffer;
}
