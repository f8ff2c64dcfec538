import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isCacheError } from "../../src/errors.ts";
import { structuredSerializer as structured } from "../../src/serializers/structured.ts";
import { typedArrays } from "./_typed_arrays.ts";

function roundTrip<T>(value: T): T {
  return structured.decode(structured.encode(value)) as T;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function unhex(text: string): Uint8Array {
  const digits = text.replaceAll(" ", "");
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, at) => parseInt(digits.slice(2 * at, 2 * at + 2), 16),
  );
}

const shared = { n: 1 };
const cycle: Record<string, unknown> = {};
cycle["self"] = cycle;

/** Bytes of version 1. They never change: frames of released versions hold them. */
const VECTORS: readonly [name: string, value: unknown, bytes: string][] = [
  ["undefined", undefined, "01 c0"],
  ["null", null, "01 c1"],
  ["false", false, "01 c2"],
  ["true", true, "01 c3"],
  ["0", 0, "01 00"],
  ["127", 127, "01 7f"],
  ["128", 128, "01 c4 8002"],
  ["-1", -1, "01 c4 01"],
  ["2^31 - 1", 2 ** 31 - 1, "01 c4 feffffff0f"],
  ["-2^31", -(2 ** 31), "01 c4 ffffffff0f"],
  ["2^31", 2 ** 31, "01 c5 000000000000e041"],
  ["-0", -0, "01 c5 0000000000000080"],
  ["0.5", 0.5, "01 c5 000000000000e03f"],
  ["-Infinity", -Infinity, "01 c5 000000000000f0ff"],
  ["0n", 0n, "01 c6 01 00"],
  ["258n", 258n, "01 c6 02 0201"],
  ["-1n", -1n, "01 c7 01 01"],
  ["empty string", "", "01 80"],
  ["ASCII", "ab", "01 82 6162"],
  ["64 of ASCII", "x".repeat(64), `01 c8 40 ${"78".repeat(64)}`],
  ["not ASCII", "é", "01 c8 02 c3a9"],
  ["byte order mark", "\ufeff", "01 c8 03 efbbbf"],
  ["lone surrogate", "a\ud800", "01 c9 02 6100 00d8"],
  ["Date", new Date(1), "01 ca 000000000000f03f"],
  ["RegExp", /a/gi, "01 cb 81 61 82 6769"],
  ["array", [1, null], "01 cc 02 01 c1"],
  ["array with holes", [, 7, ,], "01 cd 03 01 01 07"],
  ["object", { a: 1 }, "01 ce 01 00 81 61 01"],
  [
    "object without prototype",
    Object.assign(Object.create(null), { a: 1 }),
    "01 cf 01 00 81 61 01",
  ],
  ["Map", new Map([["a", 1]]), "01 d0 01 81 61 01"],
  ["Set", new Set([1]), "01 d1 01 01"],
  ["Uint16Array", Uint16Array.of(1, 513), "01 d2 05 04 01000102"],
  ["ArrayBuffer", Uint8Array.of(9).buffer, "01 d2 0d 01 09"],
  ["names once", [{ ab: 1 }, { ab: 2 }], "01 cc 02 ce 01 00 82 6162 01 ce 01 01 02"],
  ["shared part", [shared, shared], "01 cc 02 ce 01 00 81 6e 01 d3 01"],
  ["cycle", cycle, "01 ce 01 00 84 73656c66 d3 00"],
];

describe("structured reference vectors", () => {
  for (const [name, value, bytes] of VECTORS) {
    it(`encode() and decode() keep the bytes of ${name}`, () => {
      assert.equal(hex(structured.encode(value)), bytes.replaceAll(" ", ""));
      assert.deepStrictEqual(structured.decode(unhex(bytes)), value);
    });
  }

  it("encode() writes NaN as the canonical one", () => {
    assert.equal(hex(structured.encode(NaN)).slice(0, 4), "01c5");
    assert.ok(Number.isNaN(roundTrip(NaN)));
  });
});

describe("structured fidelity", () => {
  it("encode() carries what fast-check can think of", () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
      withUnicodeString: true,
    });
    fc.assert(fc.property(anything, (value) => {
      assert.deepStrictEqual(roundTrip(value), value);
    }));
  });

  it("encode() carries every string, lone surrogates included", () => {
    fc.assert(fc.property(fc.array(fc.nat(0xffff)), (units) => {
      const text = String.fromCharCode(...units);
      assert.equal(roundTrip(text), text);
      assert.deepStrictEqual(roundTrip({ [text]: 1 }), { [text]: 1 });
    }));
  });

  it("encode() carries strings of each length of their length", () => {
    for (const length of [0, 1, 24, 25, 63, 64, 127, 128, 5_461, 5_462, 16_383, 16_384, 100_000]) {
      for (const unit of ["x", "é", "€", "😀", "\ud83d"]) {
        const text = unit.repeat(length);
        assert.ok(roundTrip(text) === text, `${length} times ${unit}`);
        const late = `${"x".repeat(length)}${unit}`;
        assert.ok(roundTrip(late) === late, `${length} times x and ${unit}`);
      }
    }
  });

  it("encode() carries every number bit by bit", () => {
    const view = new DataView(new ArrayBuffer(8));
    fc.assert(fc.property(fc.oneof(fc.double(), fc.integer(), fc.maxSafeInteger()), (value) => {
      view.setFloat64(0, value);
      const bits = view.getBigUint64(0);
      view.setFloat64(0, roundTrip(value));
      assert.equal(view.getBigUint64(0), bits);
    }));
  });

  it("encode() carries every BigInt", () => {
    fc.assert(fc.property(fc.bigInt(), (value) => assert.equal(roundTrip(value), value)));
    assert.equal(roundTrip(-(2n ** 4096n)), -(2n ** 4096n));
  });

  for (const [name, array] of typedArrays()) {
    it(`encode() carries a nested ${name} bit by bit, in a buffer of its own`, () => {
      const bytes = structured.encode({ pad: "x", array });
      const back = (structured.decode(bytes) as { array: ArrayBufferView | ArrayBuffer }).array;
      assert.equal(Object.getPrototypeOf(back), Object.getPrototypeOf(array));
      assert.equal(hex(asBytes(back)), hex(asBytes(array)));
      assert.notEqual(ArrayBuffer.isView(back) ? back.buffer : back, bytes.buffer);
    });
  }

  it("encode() writes only the bytes that a view shows", () => {
    const pool = new Uint8Array(8192).fill(0x55);
    assert.ok(structured.encode([pool.subarray(0, 2)]).length < 16);
  });

  it("encode() carries the flags and the source of a RegExp", () => {
    for (const pattern of [/(?:)/, /[/]\//dgimsuy, /\u{1f600}+/v, new RegExp("\n", "i")]) {
      const back = roundTrip(pattern);
      assert.ok(back instanceof RegExp);
      assert.equal(String(back), String(pattern));
    }
  });

  it("encode() carries an invalid Date and the ends of time", () => {
    assert.ok(Number.isNaN(roundTrip(new Date(NaN)).getTime()));
    assert.equal(roundTrip(new Date(-8.64e15)).getTime(), -8.64e15);
  });

  it("encode() carries __proto__ as a property and pollutes nothing", () => {
    const value = JSON.parse('{"__proto__":{"polluted":1},"constructor":2}') as object;
    const back = roundTrip(value);
    assert.ok(Object.hasOwn(back, "__proto__"));
    assert.equal(Object.getPrototypeOf(back), Object.prototype);
    assert.deepStrictEqual(Object.keys(back), ["__proto__", "constructor"]);
    assert.equal((({}) as { polluted?: number }).polluted, undefined);
  });

  it("encode() keeps shared parts shared and cycles closed, of every kind", () => {
    const date = new Date(5);
    const bytes = Uint8Array.of(1, 2);
    const map = new Map<unknown, unknown>([["date", date]]);
    const set = new Set<unknown>([map, bytes]);
    map.set(map, set);
    const [a, b, c, d] = roundTrip([map, set, date, bytes] as const);
    assert.equal(a.get("date"), c);
    assert.equal(a.get(a), b);
    assert.ok(b.has(a) && b.has(d));
  });

  it("encode() carries an array of the greatest length with one element", () => {
    const array: unknown[] = [];
    array[2 ** 32 - 2] = "end";
    const back = roundTrip(array);
    assert.equal(back.length, 2 ** 32 - 1);
    assert.deepStrictEqual(Object.keys(back), [String(2 ** 32 - 2)]);
    assert.equal(back[2 ** 32 - 2], "end");
  });

  it("encode() carries holes beside undefined", () => {
    const array = [undefined, , 3, ,];
    const back = roundTrip(array);
    assert.deepStrictEqual(Object.keys(back), ["0", "2"]);
    assert.equal(back.length, 4);
  });

  it("encode() carries 1,000 levels", () => {
    let value: unknown = 1;
    for (let level = 0; level < 1000; level++) value = level % 2 === 0 ? [value] : { value };
    assert.deepStrictEqual(hex(structured.encode(roundTrip(value))), hex(structured.encode(value)));
  });

  it("encode() leaves its input alone and decode() keeps no part of its input", () => {
    const value = Object.freeze({ list: Object.freeze([1, "x".repeat(100)]) });
    const bytes = structured.encode([value, Uint8Array.of(7)]);
    const back = structured.decode(bytes);
    bytes.fill(0xff);
    assert.deepStrictEqual(back, [value, Uint8Array.of(7)]);
  });

  it("decode() reads a view at any offset, also of a Buffer", () => {
    const value = { vector: Float64Array.of(1, 2), text: "é".repeat(40) };
    const bytes = structured.encode(value);
    const moved = new Uint8Array(bytes.length + 3);
    moved.set(bytes, 3);
    assert.deepStrictEqual(structured.decode(moved.subarray(3)), value);
    assert.deepStrictEqual(structured.decode(Buffer.from(moved.buffer, 3)), value);
  });
});

describe("structured refusals", () => {
  class Point {
    x = 1;
  }
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level++) deep = [deep];
  const refused: readonly [value: unknown, what: string, path: string][] = [
    [() => 1, "a function", "$"],
    [[1, Symbol("s")], "a symbol", "$[1]"],
    [{ [Symbol("s")]: 1 }, "an object with a symbol as key", "$"],
    [{ a: { "b c": new Point() } }, "an instance of Point", '$.a["b c"]'],
    [new Map([["k", [Promise.resolve()]]]), "an instance of Promise", "$<value 0>[0]"],
    [new Map([[new WeakMap(), 1]]), "an instance of WeakMap", "$<key 0>"],
    [new Set([1, new Error("e")]), "an instance of Error", "$<item 1>"],
    [
      {
        get x() {
          return 1;
        },
      },
      "a getter",
      "$.x",
    ],
    [Object.defineProperty({}, "x", { value: 1 }), "an object with a hidden property", "$"],
    [Object.assign([1], { index: 0 }), "a named property of an array", "$.index"],
    [Object.assign([, 1], { 1.5: 0 }), "a named property of an array", '$["1.5"]'],
    [
      Object.assign(new Date(0), { zone: "x" }),
      "an instance of Date with properties of its own",
      "$",
    ],
    [Object.create(Map.prototype), "an instance of Map", "$"],
    [class extends Array {}.from([1]), "a class instance", "$"],
    [new Uint8Array(new SharedArrayBuffer(4)), "an instance of Uint8Array", "$"],
    [deep, "more than 1000 levels", "$[0][0][0][0][0][0][0][0] … [0][0][0][0][0][0][0][0]"],
  ];
  for (const [value, what, path] of refused) {
    it(`encode() refuses ${what} at ${path}`, () => {
      assert.throws(() => structured.encode(value), {
        name: "TypeError",
        message: `Cannot store value: structured cannot carry ${what} at ${path}`,
      });
    });
  }

  it("encode() refuses memory that was handed to another thread", () => {
    const gone = Uint8Array.of(1, 2);
    structuredClone(gone, { transfer: [gone.buffer] });
    assert.throws(() => structured.encode([gone]), /detached ArrayBuffer at \$\[0\]/);
  });
});

describe("structured with hostile bytes", () => {
  const rich = {
    text: "déjà",
    numbers: [1, -5, 2 ** 40, 0.5, , 9n],
    map: new Map<unknown, unknown>([[new Date(3), /x/g], ["k", new Set([null, undefined])]]),
    bytes: Float32Array.of(1, NaN),
    again: {} as unknown,
  };
  rich.again = rich.map;
  const bytes = structured.encode(rich);

  it("decode() refuses every truncation", () => {
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(
        () => structured.decode(bytes.subarray(0, length)),
        (error) =>
          isCacheError(error) || error instanceof TypeError || error instanceof SyntaxError,
        `${length} bytes`,
      );
    }
  });

  it("decode() refuses bytes behind the value", () => {
    assert.throws(() => structured.decode(Uint8Array.of(...bytes, 0)), /left over/);
  });

  it("decode() returns or throws for every flipped bit, and pollutes nothing", () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      try {
        structured.decode(flipped);
      } catch (error) {
        assert.ok(error instanceof Error);
      }
    }
    assert.deepStrictEqual(Object.keys(Object.prototype), []);
  });

  it("decode() returns or throws for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (body) => {
        try {
          structured.decode(Uint8Array.of(1, ...body));
        } catch (error) {
          assert.ok(error instanceof Error);
        }
      }),
      { numRuns: 2000 },
    );
  });

  const hostile: readonly [name: string, bytes: string, message: RegExp][] = [
    ["no bytes", "", /too early/],
    ["an unknown version", "02 c1", /version 2 is not known/],
    ["an unknown tag", "01 ff", /tag 255/],
    ["an array that claims 4,294,967,295 elements", "01 cc ffffffff0f", /count/],
    ["an array with holes that claims as many", "01 cd ffffffff0f ffffffff0f", /count/],
    ["a Map that claims more pairs than are left", "01 d0 02 01 02 03", /count/],
    ["a Set that claims more items than are left", "01 d1 7f 01", /count/],
    ["an object that claims more than is left", "01 ce ff01 00", /count/],
    ["a string longer than what is left", "01 c8 ffffffff0f 61", /count/],
    ["UTF-16 longer than what is left", "01 c9 02 6100 61", /count/],
    ["a BigInt longer than what is left", "01 c6 ff7f 01", /count/],
    ["bytes longer than what is left", "01 d2 01 ffffffff0f 00", /count/],
    ["bytes of an unknown type", "01 d2 63 01 00", /type 99/],
    ["half an element", "01 d2 0b 03 000000", /type 11 with 3 bytes/],
    ["a reference to what comes later", "01 cc 01 d3 01", /leads nowhere/],
    ["a name that was never given", "01 ce 01 05 01", /name is missing/],
    ["a name that is no string", "01 ce 01 00 05 01", /no string/],
    ["positions out of order", "01 cd 05 02 03 01 02 01", /out of order/],
    ["a position beyond the length", "01 cd 02 01 02 01", /out of order/],
    ["a number of more than 32 bits", "01 c4 ffffffff1f", /32 bits/],
    ["an endless number", "01 c4 8080808080808080", /32 bits/],
    ["a short string that is not ASCII", "01 82 c3a9", /not ASCII/],
    ["a longer one that is not ASCII", `01 9a ${"c3a9".repeat(13)}`, /not ASCII/],
  ];
  for (const [name, text, message] of hostile) {
    it(`decode() refuses ${name}`, () => {
      assert.throws(() => structured.decode(unhex(text)), message);
    });
  }

  it("decode() refuses strings that are not UTF-8 and flags that are none", () => {
    assert.throws(() => structured.decode(unhex("01 c8 01 ff")), TypeError);
    assert.throws(() => structured.decode(unhex("01 cb 81 61 81 7a")), SyntaxError);
  });

  it("decode() refuses nesting without end", () => {
    const nested = new Uint8Array(200_001).fill(0x01);
    for (let at = 1; at < nested.length; at += 2) nested[at] = 0xcc;
    assert.throws(() => structured.decode(nested), /more than 1000 levels/);
  });

  it("decode() makes no memory of the length of an array with holes", () => {
    for (let round = 0; round < 64; round++) {
      const array = structured.decode(unhex("01 cd ffffff0f 00")) as unknown[];
      assert.equal(array.length, 0x1ff_ffff);
    }
  });
});

function asBytes(value: ArrayBufferView | ArrayBuffer): Uint8Array {
  return ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
}
