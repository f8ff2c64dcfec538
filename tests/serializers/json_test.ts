import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { jsonSerializer as json } from "../../src/serializers/json.ts";
import { refusedByTextFormats } from "./_refused.ts";

function roundTrip(value: unknown): unknown {
  return json.decode(json.encode(value));
}

describe("jsonSerializer", () => {
  it("encode() writes what JSON.stringify writes", () => {
    fc.assert(fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      if (holdsNegativeZero(value)) return;
      assert.equal(new TextDecoder().decode(json.encode(value)), JSON.stringify(value));
      assert.deepStrictEqual(roundTrip(value), value);
    }));
  });

  it("encode() either brings a value back or throws, whatever it is", () => {
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
      let bytes: Uint8Array;
      try {
        bytes = json.encode(value);
      } catch (error) {
        assert.ok(
          error instanceof TypeError && error.message.startsWith("Cannot store value: json"),
        );
        return;
      }
      assert.deepStrictEqual(json.decode(bytes), value);
    }));
  });

  it("encode() carries lone surrogates, the empty name and __proto__ as a property", () => {
    const value = JSON.parse('{"__proto__":{"a":"\\ud800"},"":"\\udc00x","\\ud800":1}') as object;
    const back = roundTrip(value) as object;
    assert.deepStrictEqual(back, value);
    assert.ok(Object.hasOwn(back, "__proto__"));
    assert.equal(Object.getPrototypeOf(back), Object.prototype);
  });

  it("encode() carries the ends of numbers", () => {
    for (const value of [0, Number.MAX_VALUE, Number.MIN_VALUE, -1e21, 2 ** 53 + 2, 1e-7]) {
      assert.equal(roundTrip(value), value);
    }
  });

  it("encode() carries 1,000 levels and refuses more at once", () => {
    let value: unknown = 1;
    for (let level = 0; level < 1000; level++) value = level % 2 === 0 ? [value] : { value };
    assert.equal(JSON.stringify(roundTrip(value)), JSON.stringify(value));
    assert.throws(() => json.encode([value]), {
      name: "TypeError",
      message: /json cannot carry more than 1000 levels at \$\[0\]\.value\[0\].* … .*value$/,
    });
    for (let level = 0; level < 100_000; level++) value = [value];
    assert.throws(() => json.encode(value), TypeError);
  });

  it("encode() carries a part that is used twice", () => {
    const part = { a: 1 };
    assert.deepStrictEqual(roundTrip([part, part]), [part, part]);
  });

  it("encode() refuses a tree that its shared parts make endless", () => {
    let value: unknown = 1;
    for (let level = 0; level < 30; level++) value = [value, value];
    assert.throws(() => json.encode(value), /more than 4194304 arrays and objects at \$\[0\]/);
  });

  for (const { value, what, path, remedy } of refusedByTextFormats("json")) {
    it(`encode() refuses ${what} at ${path}`, () => {
      assert.throws(() => json.encode(value), {
        name: "TypeError",
        message: `Cannot store value: json cannot carry ${what} at ${path}${remedy}`,
      });
    });
  }

  for (const value of [NaN, Infinity, -Infinity]) {
    it(`encode() refuses ${value}`, () => {
      assert.throws(() => json.encode([{ score: value }]), {
        name: "TypeError",
        message:
          `Cannot store value: json cannot carry ${value} at $[0].score: use serializationFormat "structured"`,
      });
    });
  }

  it("encode() refuses dates and bytes", () => {
    const remedy = ': use serializationFormat "structured"';
    assert.throws(() => json.encode({ at: new Date(0) }), {
      message: `Cannot store value: json cannot carry an instance of Date at $.at${remedy}`,
    });
    assert.throws(() => json.encode({ b: Uint8Array.of(1) }), {
      message: `Cannot store value: json cannot carry an instance of Uint8Array at $.b${remedy}`,
    });
  });

  it("decode() throws for what is not JSON as UTF-8", () => {
    const encoder = new TextEncoder();
    for (const text of ["", "{", "[1,]", "\ufeff1", "1 2", "undefined", "NaN"]) {
      assert.throws(() => json.decode(encoder.encode(text)), SyntaxError, text);
    }
    assert.throws(() => json.decode(Uint8Array.of(0x22, 0xff, 0x22)), TypeError);
  });

  it("decode() reads every truncation of a document as an error", () => {
    const bytes = json.encode({ a: [1, "é", null], b: { c: true } });
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => json.decode(bytes.subarray(0, length)), `${length} bytes`);
    }
  });
});

function holdsNegativeZero(value: unknown): boolean {
  if (typeof value === "object" && value !== null) {
    return Object.values(value).some(holdsNegativeZero);
  }
  return Object.is(value, -0);
}
