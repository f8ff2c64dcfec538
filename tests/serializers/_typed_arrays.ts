/** One value of every binary type, with bits that careless copies lose: NaN payloads, -0, extremes, odd offsets. */
export function typedArrays(): [name: string, value: ArrayBufferView | ArrayBuffer][] {
  const bits = Uint8Array.from({ length: 40 }, (_, at) => at * 37);
  const nans32 = new Float32Array(Uint32Array.of(0x7fc00001, 0xffa00000, 0x80000000, 1).buffer);
  const nans64 = new Float64Array(BigUint64Array.of(0x7ff4000000000001n, 1n << 63n, 1n).buffer);
  const values: (ArrayBufferView | ArrayBuffer)[] = [
    bits.subarray(1, 8),
    new Int8Array(bits.buffer, 3, 5),
    new Uint8ClampedArray(bits.buffer, 1, 3),
    new Int16Array(bits.buffer, 2, 3),
    new Uint16Array(bits.buffer, 2, 3),
    new Int32Array(bits.buffer, 4, 3),
    new Uint32Array(bits.buffer, 4, 3),
    new BigInt64Array(bits.buffer, 8, 2),
    new BigUint64Array(bits.buffer, 8, 2),
    new Float16Array(Uint16Array.of(0x7e01, 0x8000, 1).buffer),
    nans32,
    nans64,
    bits.slice().buffer,
    new DataView(bits.buffer, 5, 6),
    new Float32Array(0),
  ];
  return values.map((value) => [
    `${value.constructor.name} of ${value.byteLength} bytes`,
    value,
  ]);
}
