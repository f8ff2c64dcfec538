import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encode } from "@msgpack/msgpack";
import * as msgpack from "@msgpack/msgpack";
import fc from "fast-check";
import { isCacheError } from "../../src/errors.ts";
import { checkMessagePack } from "../../src/serializers/_messagepack_check.ts";
import { createMessagePackSerializer } from "../../src/serializers/messagepack.ts";

const isDamage = (error: unknown): boolean => isCacheError(error, "corrupt");

/** One value of each mark, by the specification. */
const VALUES: readonly [name: string, bytes: readonly number[]][] = [
  ["positive fixint", [0x7f]],
  ["fixmap", [0x81, 1, 2]],
  ["fixarray", [0x92, 1, 2]],
  ["fixstr", [0xa2, 0x61, 0x62]],
  ["nil", [0xc0]],
  ["false", [0xc2]],
  ["true", [0xc3]],
  ["bin 8", [0xc4, 1, 9]],
  ["bin 16", [0xc5, 0, 1, 9]],
  ["bin 32", [0xc6, 0, 0, 0, 1, 9]],
  ["ext 8", [0xc7, 1, 5, 9]],
  ["ext 16", [0xc8, 0, 1, 5, 9]],
  ["ext 32", [0xc9, 0, 0, 0, 1, 5, 9]],
  ["float 32", [0xca, 1, 2, 3, 4]],
  ["float 64", [0xcb, 1, 2, 3, 4, 5, 6, 7, 8]],
  ["uint 8", [0xcc, 1]],
  ["uint 16", [0xcd, 1, 2]],
  ["uint 32", [0xce, 1, 2, 3, 4]],
  ["uint 64", [0xcf, 1, 2, 3, 4, 5, 6, 7, 8]],
  ["int 8", [0xd0, 1]],
  ["int 16", [0xd1, 1, 2]],
  ["int 32", [0xd2, 1, 2, 3, 4]],
  ["int 64", [0xd3, 1, 2, 3, 4, 5, 6, 7, 8]],
  ["fixext 1", [0xd4, 5, 1]],
  ["fixext 2", [0xd5, 5, 1, 2]],
  ["fixext 4", [0xd6, 5, 1, 2, 3, 4]],
  ["fixext 8", [0xd7, 5, 1, 2, 3, 4, 5, 6, 7, 8]],
  ["fixext 16", [0xd8, 5, ...new Array(16).fill(1)]],
  ["str 8", [0xd9, 1, 0x61]],
  ["str 16", [0xda, 0, 1, 0x61]],
  ["str 32", [0xdb, 0, 0, 0, 1, 0x61]],
  ["array 16", [0xdc, 0, 1, 7]],
  ["array 32", [0xdd, 0, 0, 0, 1, 7]],
  ["map 16", [0xde, 0, 1, 7, 8]],
  ["map 32", [0xdf, 0, 0, 0, 1, 7, 8]],
  ["negative fixint", [0xff]],
];

/** Arrays in each other, each of which claims so many elements. */
function nestedArrays(levels: number, claimed: number): Uint8Array {
  const bytes = new Uint8Array(levels * 5);
  const view = new DataView(bytes.buffer);
  for (let level = 0; level < levels; level++) {
    view.setUint8(level * 5, 0xdd);
    view.setUint32(level * 5 + 1, claimed);
  }
  return bytes;
}

describe("checkMessagePack()", () => {
  for (const [name, bytes] of VALUES) {
    it(`takes ${name} whole, and neither more nor less`, () => {
      checkMessagePack(Uint8Array.from(bytes));
      // Among others too, so that its end is found.
      checkMessagePack(Uint8Array.from([0x93, ...bytes, ...bytes, 1]));
      assert.throws(() => checkMessagePack(Uint8Array.from([...bytes, 0])), isDamage);
      for (let length = 0; length < bytes.length; length++) {
        assert.throws(() => checkMessagePack(Uint8Array.from(bytes.slice(0, length))), isDamage);
      }
    });
  }

  it("knows every mark but the one that is in no use", () => {
    const marks = new Set(VALUES.map(([, bytes]) => bytes[0]!));
    for (let mark = 0xc0; mark < 0xe0; mark++) assert.equal(marks.has(mark), mark !== 0xc1);
    assert.throws(() => checkMessagePack(Uint8Array.of(0xc1)), isDamage);
  });

  it("takes whatever a library writes", () => {
    fc.assert(fc.property(fc.anything({ maxDepth: 4 }), (value) => {
      let bytes: Uint8Array;
      try {
        bytes = encode(value);
      } catch {
        return;
      }
      checkMessagePack(bytes);
    }));
  });

  it("refuses arrays and maps that claim more than there is, however they are nested", () => {
    for (const claimed of [2, 1000, 30_000_000, 2 ** 32 - 1]) {
      for (const levels of [1, 20, 2000]) {
        assert.throws(() => checkMessagePack(nestedArrays(levels, claimed)), isDamage);
      }
    }
    assert.throws(() => checkMessagePack(Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff)), isDamage);
  });
});

describe("createMessagePackSerializer()", () => {
  it("decode() refuses 100 bytes that claim gigabytes, before the library sees them", () => {
    let decodings = 0;
    const serializer = createMessagePackSerializer({
      encode: msgpack.encode,
      decode: (bytes) => {
        decodings++;
        return msgpack.decode(bytes);
      },
    });
    decodings = 0;
    assert.throws(() => serializer.decode(nestedArrays(20, 30_000_000)), isDamage);
    assert.equal(decodings, 0);
  });
});
