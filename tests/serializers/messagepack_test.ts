import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as library from "@msgpack/msgpack";
import fc from "fast-check";
import { createMessagePackSerializer } from "../../src/serializers/messagepack.ts";
import { refusedByTextFormats } from "./_refused.ts";

const msgpack = createMessagePackSerializer(library);

function roundTrip(value: unknown): unknown {
  return msgpack.decode(msgpack.encode(value));
}

describe("createMessagePackSerializer()", () => {
  it("encode() writes what the library writes", () => {
    const value = { a: [1, -1, 1.5, "é", null, true], b: { c: Uint8Array.of(1) } };
    assert.deepStrictEqual([...msgpack.encode(value)], [...library.encode(value)]);
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
        bytes = msgpack.encode(value);
      } catch (error) {
        assert.ok(
          error instanceof TypeError && error.message.startsWith("Cannot store value: msgpack"),
          String(error),
        );
        return;
      }
      assert.deepStrictEqual(msgpack.decode(bytes), value);
    }));
  });

  it("encode() carries every number but -0 bit by bit", () => {
    const numbers = fc.oneof(fc.double(), fc.integer(), fc.maxSafeInteger());
    fc.assert(fc.property(numbers, (value) => {
      if (Object.is(value, -0)) return;
      assert.ok(Object.is(roundTrip(value), value), String(value));
    }));
    for (const value of [NaN, Infinity, -Infinity, 2 ** 53, 2 ** 64, -(2 ** 63), 2 ** 32 - 1]) {
      assert.ok(Object.is(roundTrip(value), value), String(value));
    }
  });

  it("encode() carries dates to the millisecond, also before 1970 and at the ends of time", () => {
    fc.assert(fc.property(fc.date({ noInvalidDate: true }), (date) => {
      assert.deepStrictEqual(roundTrip([date]), [date]);
    }));
    for (const time of [0, -1, -999, -1000, 8.64e15, -8.64e15, 2 ** 32 * 1000, 2 ** 34 * 1000]) {
      assert.equal((roundTrip(new Date(time)) as Date).getTime(), time);
    }
  });

  it("decode() hands out bytes that are not the input's", () => {
    const bytes = msgpack.encode({ b: Uint8Array.of(1, 2, 3) });
    const back = msgpack.decode(bytes);
    bytes.fill(0xc1);
    assert.deepStrictEqual(back, { b: Uint8Array.of(1, 2, 3) });
  });

  it("encode() carries 1,000 levels and refuses more at once", () => {
    let value: unknown = 1;
    for (let level = 0; level < 1000; level++) value = level % 2 === 0 ? [value] : { value };
    assert.equal(JSON.stringify(roundTrip(value)), JSON.stringify(value));
    assert.throws(() => msgpack.encode([value]), {
      name: "TypeError",
      message: /msgpack cannot carry more than 1000 levels at /,
    });
    for (let level = 0; level < 100_000; level++) value = [value];
    assert.throws(() => msgpack.encode(value), TypeError);
  });

  const text = "a string with a lone surrogate";
  const structured = ': use serializationFormat "structured"';
  const refused = [
    ...refusedByTextFormats("msgpack"),
    { value: { t: "a\ud800" }, what: text, path: "$.t", remedy: structured },
    {
      value: { "\ud800": 1 },
      what: "a property name with a lone surrogate",
      path: '$["\\ud800"]',
      remedy: structured,
    },
    {
      value: JSON.parse('{"a":{"__proto__":1}}') as unknown,
      what: "a property named __proto__",
      path: "$.a.__proto__",
      remedy: structured,
    },
    { value: [new Date(NaN)], what: "an invalid Date", path: "$[0]", remedy: structured },
  ];
  for (const { value, what, path, remedy } of refused) {
    it(`encode() refuses ${what} at ${path}`, () => {
      assert.throws(() => msgpack.encode(value), {
        name: "TypeError",
        message: `Cannot store value: msgpack cannot carry ${what} at ${path}${remedy}`,
      });
    });
  }

  it("encode() refuses bytes whose memory is gone", () => {
    const gone = Uint8Array.of(1, 2);
    structuredClone(gone, { transfer: [gone.buffer] });
    assert.throws(() => msgpack.encode({ gone }), /detached ArrayBuffer at \$\.gone$/);
  });

  it("decode() throws for every truncation and for bytes behind the value", () => {
    const bytes = msgpack.encode({ a: [1.5, "é", Uint8Array.of(1)], b: new Date(1) });
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => msgpack.decode(bytes.subarray(0, length)), `${length} bytes`);
    }
    assert.throws(() => msgpack.decode(Uint8Array.of(...bytes, 0)));
  });

  it("decode() makes no prototype of a property named __proto__", () => {
    const bytes = Uint8Array.of(0x81, 0xa9, ...new TextEncoder().encode("__proto__"), 0x80);
    assert.throws(() => msgpack.decode(bytes));
  });
});

describe("createMessagePackSerializer() with another module", () => {
  it("takes instances with options of their own", () => {
    const encoder = new library.Encoder({ maxDepth: 10, sortKeys: true });
    const decoder = new library.Decoder();
    const own = createMessagePackSerializer({
      encode: (value) => encoder.encode(value),
      decode: (bytes) => decoder.decode(bytes),
    });
    assert.deepStrictEqual(own.decode(own.encode({ b: 1, a: [2] })), { a: [2], b: 1 });
    assert.equal(own.id, 2);
  });

  it("hands its options to the module", () => {
    const seen: unknown[] = [];
    const own = createMessagePackSerializer({
      encode(value, options) {
        seen.push(options);
        return library.encode(value, options);
      },
      decode(bytes, options) {
        seen.push(options);
        return library.decode(bytes, options);
      },
    }, { encodeOptions: { sortKeys: true }, decodeOptions: { useBigInt64: false } });
    own.decode(own.encode({ b: 1, a: 2 }));
    assert.deepStrictEqual(seen.slice(-2), [{ sortKeys: true }, { useBigInt64: false }]);
  });

  it("refuses a Date, bytes and what is not finite when the module does not bring them back", () => {
    const json = new TextEncoder();
    const poor = createMessagePackSerializer({
      encode: (value) => library.encode(JSON.parse(JSON.stringify(value))),
      decode: (bytes) => library.decode(bytes),
    });
    for (const value of [new Date(0), json.encode("x"), NaN, -0]) {
      assert.throws(() => poor.encode([value]), /msgpack cannot carry .* at \$\[0\]/);
    }
    assert.deepStrictEqual(poor.decode(poor.encode({ a: [1] })), { a: [1] });
  });

  it("refuses a Date when the module writes it in a way of its own", () => {
    const extensionCodec = new library.ExtensionCodec();
    extensionCodec.register({
      type: -1,
      encode: (value) =>
        value instanceof Date ? new Uint8Array(Float64Array.of(value.getTime()).buffer) : null,
      decode: (bytes) => new Date(new Float64Array(bytes.slice().buffer)[0] as number),
    });
    const own = createMessagePackSerializer(library, {
      encodeOptions: { extensionCodec },
      decodeOptions: { extensionCodec },
    });
    assert.throws(() => own.encode({ at: new Date(5) }), /an instance of Date at \$\.at/);
  });

  it("carries -0 when the module does", () => {
    const own = createMessagePackSerializer(library, {
      encodeOptions: { forceIntegerToFloat: true },
    });
    assert.ok(Object.is(own.decode(own.encode(-0)), -0));
  });

  it("throws for a module that is none", () => {
    const text = new TextEncoder();
    const foreign = {
      encode: (value: unknown) => text.encode(JSON.stringify(value)),
      decode: (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes)) as unknown,
    };
    assert.throws(() => createMessagePackSerializer(foreign), {
      name: "TypeError",
      message: /^Cannot use MessagePack module: it does not write and read objects/,
    });
    assert.throws(() => createMessagePackSerializer({ encode: 1 } as never), {
      name: "TypeError",
      message: "Cannot use MessagePack module: it must have 'encode' and 'decode'",
    });
    assert.throws(() => createMessagePackSerializer(undefined as never), TypeError);
  });
});
