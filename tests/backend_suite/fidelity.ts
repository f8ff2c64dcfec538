import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe } from "node:test";
import { entryOf } from "../fakes/entries.ts";
import { type SuiteTest, valueOf } from "./harness.ts";

/** Two NaNs with payload bits and a negative zero, which arithmetic would not keep. */
const ODD_FLOATS = new Float32Array(
  new Uint32Array([0x7fc0_1234, 0xffc5_4321, 0x8000_0000, 0x3f80_0000]).buffer,
);

/** Values of every kind that an entry can hold, by what they are. */
const VALUES: Readonly<Record<string, unknown>> = {
  "null": null,
  "true": true,
  "false": false,
  "zero": 0,
  "negative zero": -0,
  "not a number": NaN,
  "a fraction": 0.1 + 0.2,
  "an infinite number": -Infinity,
  "a large integer": Number.MAX_SAFE_INTEGER,
  "an empty string": "",
  "a string of several scripts": "naïve – 日本語 – 🧠\u0000 – \ufeff",
  "a string with a lone surrogate": "left \ud800 right",
  "a nested object": { name: "x", list: [1, [2, { deep: null }]], empty: {}, "": "no name" },
  "an array": [1, "two", null, [], { three: 3 }],
  "a Map": new Map<unknown, unknown>([["a", 1], [2, new Set(["b"])]]),
  "a Date": new Date(1_234_567_890_123),
  "a BigInt": -(2n ** 70n),
  "a Uint8Array": Uint8Array.from({ length: 256 }, (_, at) => at),
  "a Float32Array with NaN payloads": ODD_FLOATS,
  "a Float64Array": new Float64Array([Math.PI, -0, Number.MIN_VALUE]),
  "a BigInt64Array": new BigInt64Array([-(2n ** 63n), 2n ** 63n - 1n]),
  "an Int16Array of an odd length": new Int16Array([1, -2, 3]),
  "a view into a larger buffer": new Uint16Array(new ArrayBuffer(64), 6, 5).fill(0xabcd),
  "an ArrayBuffer": new Uint8Array([1, 2, 3, 4, 5]).buffer,
  "a DataView": new DataView(new Uint8Array([9, 8, 7, 6, 5]).buffer, 1, 3),
  "no bytes": new Uint8Array(0),
  "an empty Float32Array": new Float32Array(0),
  "a megabyte": Uint8Array.from({ length: 1 << 20 }, (_, at) => (at * 2_654_435_761) >>> 24),
};

/** Each kind of value comes back as the same kind with the same bits. */
export function describeFidelity(test: SuiteTest): void {
  describe("values", () => {
    for (const [kind, value] of Object.entries(VALUES)) {
      test(`get() brings back ${kind}`, async ({ backend, clock }) => {
        assert.equal(await backend.set("key", entryOf("key", value, { clock })), true);
        const entry = await backend.get("key");
        assert.ok(entry !== undefined, "it is a hit");
        assertSame(await entry.value(), value);
      });
    }

    test("get() tells a stored null from a miss", async ({ backend, clock }) => {
      assert.equal(await backend.get("missing"), undefined);
      await backend.set("nothing", entryOf("nothing", null, { clock }));
      assert.equal((await backend.get("nothing"))?.key, "nothing");
      assert.equal(await valueOf(backend, "nothing"), null);
      assert.equal(await backend.exists("nothing"), true);
      assert.equal(await backend.exists("missing"), false);
    });

    test("get() brings back what another entry holds beside it", async ({ backend, clock }) => {
      const kinds = Object.keys(VALUES);
      for (const kind of kinds) await backend.set(kind, entryOf(kind, VALUES[kind], { clock }));
      for (const kind of kinds) assertSame(await valueOf(backend, kind), VALUES[kind]);
    });
  });
}

function assertSame(actual: unknown, expected: unknown): void {
  if (!ArrayBuffer.isView(expected) && !(expected instanceof ArrayBuffer)) {
    assert.deepStrictEqual(actual, expected);
    return;
  }
  assert.ok(ArrayBuffer.isView(actual) || actual instanceof ArrayBuffer, "it is binary");
  assert.equal(kindOf(actual), kindOf(expected));
  assert.equal(hexOf(actual), hexOf(expected));
}

function kindOf(value: ArrayBufferView | ArrayBuffer): string {
  return Object.prototype.toString.call(value);
}

function hexOf(value: ArrayBufferView | ArrayBuffer): string {
  const bytes = ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
