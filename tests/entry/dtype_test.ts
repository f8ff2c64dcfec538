import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import {
  bytesOf,
  copyBinary,
  dtypeOf,
  isBinary,
  isDetached,
  isDtype,
  isDtypeLength,
  viewBinary,
} from "../../src/entry/dtype.ts";
import { typedArrays } from "../serializers/_typed_arrays.ts";

/** Numbers in frames: they never change. */
const NUMBERS: Readonly<Record<string, number>> = {
  Uint8Array: 1,
  Int8Array: 2,
  Uint8ClampedArray: 3,
  Int16Array: 4,
  Uint16Array: 5,
  Int32Array: 6,
  Uint32Array: 7,
  BigInt64Array: 8,
  BigUint64Array: 9,
  Float16Array: 10,
  Float32Array: 11,
  Float64Array: 12,
  ArrayBuffer: 13,
  DataView: 14,
};

function detached<T extends ArrayBuffer | ArrayBufferView>(value: T): T {
  const buffer = ArrayBuffer.isView(value) ? value.buffer : value;
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
  return value;
}

describe("dtypeOf()", () => {
  it("has a value of every type in its tests", () => {
    const names = new Set(typedArrays().map(([, value]) => value.constructor.name));
    assert.deepStrictEqual([...names].sort(), Object.keys(NUMBERS).sort());
  });

  for (const [name, value] of typedArrays()) {
    it(`names a ${name} by its number`, () => {
      assert.equal(dtypeOf(value), NUMBERS[value.constructor.name]);
    });
  }

  it("names a subclass as what it extends, whatever it calls itself", () => {
    class Vector extends Float64Array {
      override get [Symbol.toStringTag](): "Float64Array" {
        return "Map" as "Float64Array";
      }
    }
    assert.equal(dtypeOf(new Vector(2)), 12);
    assert.equal(dtypeOf(Buffer.from("x")), 1);
    class Window extends DataView<ArrayBuffer> {}
    assert.equal(dtypeOf(new Window(new ArrayBuffer(1))), 14);
    const buffer = Object.defineProperty(new ArrayBuffer(1), Symbol.toStringTag, { value: "Set" });
    assert.equal(dtypeOf(buffer), 13);
  });
});

describe("isBinary()", () => {
  it("is true for bytes and typed arrays, empty ones included", () => {
    for (const [, value] of typedArrays()) assert.ok(isBinary(value));
    assert.ok(isBinary(new ArrayBuffer(0)));
  });

  it("is false for all else", () => {
    for (const value of [null, undefined, 1, "text", [1], {}, { byteLength: 1 }]) {
      assert.ok(!isBinary(value));
    }
  });

  it("is false for memory that is shared or gone", () => {
    assert.ok(!isBinary(new SharedArrayBuffer(4)));
    assert.ok(!isBinary(new Uint8Array(new SharedArrayBuffer(4))));
    for (
      const value of [new ArrayBuffer(4), new Float32Array(2), new DataView(new ArrayBuffer(1))]
    ) {
      assert.ok(isBinary(value) && !isDetached(value));
      assert.ok(isDetached(detached(value)) && !isBinary(value));
    }
  });
});

describe("viewBinary()", () => {
  it("is a view where the alignment allows it and equal where it does not, also of a Buffer", () => {
    const values = Float64Array.of(1, -2, 3);
    for (let offset = 0; offset < 16; offset++) {
      const space = new Uint8Array(64);
      space.set(bytesOf(values), offset);
      for (
        const bytes of [space.subarray(offset, offset + 24), Buffer.from(space.buffer, offset, 24)]
      ) {
        const view = viewBinary(12, bytes) as Float64Array;
        assert.deepStrictEqual(view, values);
        assert.equal(view.buffer === space.buffer, offset % 8 === 0);
      }
    }
  });

  it("hands out an ArrayBuffer of just the bytes", () => {
    const space = Uint8Array.of(0, 1, 2, 3, 4);
    assert.deepStrictEqual(viewBinary(13, space.subarray(1, 3)), Uint8Array.of(1, 2).buffer);
  });
});

describe("copyBinary()", () => {
  for (const [name, value] of typedArrays()) {
    it(`copies a ${name} bit by bit into memory of its own`, () => {
      const copy = copyBinary(value);
      assert.equal(Object.getPrototypeOf(copy), Object.getPrototypeOf(value));
      const before = [...bytesOf(value)];
      assert.deepStrictEqual([...bytesOf(copy)], before);
      bytesOf(copy).fill(0x77);
      assert.deepStrictEqual([...bytesOf(value)], before);
    });
  }

  it("copies a Buffer, whose slice() would not", () => {
    const buffer = Buffer.from([1, 2, 3]);
    const copy = copyBinary(buffer);
    buffer.fill(9);
    assert.deepStrictEqual([...copy], [1, 2, 3]);
    assert.equal(Object.getPrototypeOf(copy), Uint8Array.prototype);
  });
});

describe("isDtypeLength()", () => {
  it("is true for whole elements of known types", () => {
    assert.ok(isDtypeLength(11, 0) && isDtypeLength(11, 8) && isDtypeLength(1, 3));
    assert.ok(!isDtypeLength(11, 6) && !isDtypeLength(12, 4) && !isDtypeLength(10, 1));
    assert.ok(!isDtypeLength(0, 0) && !isDtypeLength(15, 0) && !isDtypeLength(255, 8));
  });

  it("isDtype() knows the numbers of the table and no others", () => {
    const known = Array.from({ length: 256 }, (_, id) => id).filter(isDtype);
    assert.deepStrictEqual(known, Object.values(NUMBERS));
  });
});
