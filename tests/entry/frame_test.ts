import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isCacheError } from "../../src/errors.ts";
import { crc32Portable } from "../../src/entry/checksum.ts";
import { bytesOf, dtypeOf, viewBinary } from "../../src/entry/dtype.ts";
import {
  decodeFrame,
  decodeFrameHeader,
  decodeKey,
  encodeFrame,
  encodeKey,
  type EntryMetadata,
  type Payload,
} from "../../src/entry/frame.ts";
import { forgedFrame } from "../fakes/hostile_frames.ts";
import { typedArrays } from "../serializers/_typed_arrays.ts";

const METADATA: EntryMetadata = {
  createdAt: 1_700_000_000_000,
  expiresAt: 1_700_000_060_000,
  staleUntil: 1_700_000_090_000,
  version: 1_700_000_000_000 * 1024 + 5,
  tags: ["a", "ä"],
};

function payloadOf(bytes: Uint8Array, more: Partial<Payload> = {}): Payload {
  return { bytes, rawLength: bytes.length, serializer: 0, codec: 0, dtype: 1, ...more };
}

const SMALL = encodeFrame("ké", METADATA, payloadOf(Uint8Array.of(9, 8, 7, 6, 5)));

/** The small frame, forged. */
function forged(change: (view: DataView, frame: Uint8Array) => void): Uint8Array {
  return forgedFrame(SMALL, change);
}

describe("encodeFrame()", () => {
  it("writes each field where the byte table says", () => {
    const frame = encodeFrame("ké", METADATA, {
      bytes: Uint8Array.of(9, 8, 7, 6, 5),
      rawLength: 77,
      serializer: 130,
      codec: 2,
      dtype: 0,
    });
    const view = new DataView(frame.buffer);
    assert.deepStrictEqual([...frame.subarray(0, 8)], [0x53, 0x54, 0x52, 0x41, 1, 130, 2, 0]);
    assert.equal(view.getUint32(8, true), 5);
    assert.equal(view.getUint32(12, true), 77);
    assert.equal(view.getFloat64(16, true), METADATA.createdAt);
    assert.equal(view.getFloat64(24, true), METADATA.expiresAt);
    assert.equal(view.getFloat64(32, true), METADATA.staleUntil);
    assert.equal(view.getFloat64(40, true), METADATA.version);
    assert.equal(view.getUint32(48, true), 3);
    assert.equal(view.getUint16(52, true), 10);
    assert.equal(view.getUint16(54, true), 0);
    assert.equal(view.getUint32(56, true), crc32Portable(frame.subarray(64)));
    assert.equal(view.getUint32(60, true), crc32Portable(frame.subarray(0, 60)));
    assert.deepStrictEqual([...frame.subarray(64, 72)], [9, 8, 7, 6, 5, 0, 0, 0]);
    assert.deepStrictEqual([...frame.subarray(72, 75)], [0x6b, 0xc3, 0xa9]);
    assert.equal(new TextDecoder().decode(frame.subarray(75)), '["a","ä"]');
    assert.equal(frame.length, 85);
    assert.equal(frame.buffer.byteLength, 85);
  });

  it("writes nothing but the header for nothing", () => {
    const frame = encodeFrame("", { ...METADATA, tags: [] }, payloadOf(new Uint8Array(0)));
    assert.equal(frame.length, 64);
    const parsed = decodeFrame(frame);
    assert.equal(parsed.key, "");
    assert.equal(parsed.payload.bytes.length, 0);
    assert.deepStrictEqual(parsed.metadata.tags, []);
  });

  it("refuses tags of more than 65,535 bytes and payloads of 4 GiB", () => {
    const atLimit = "t".repeat(65_535 - 4);
    const payload = payloadOf(Uint8Array.of(1));
    const parsed = decodeFrame(encodeFrame("k", { ...METADATA, tags: [atLimit] }, payload));
    assert.deepStrictEqual(parsed.metadata.tags, [atLimit]);
    assert.throws(() => encodeFrame("k", { ...METADATA, tags: [`${atLimit}t`] }, payload), {
      name: "RangeError",
      message: /at most 65535 bytes as JSON: current value has 65536$/,
    });
    assert.throws(() => encodeFrame("k", METADATA, { ...payload, rawLength: 2 ** 32 }), {
      name: "RangeError",
      message: /at most 4 GiB: value has 4294967296 bytes/,
    });
  });

  it("leaves its input alone", () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const frame = encodeFrame("k", METADATA, payloadOf(bytes));
    frame.fill(0);
    assert.deepStrictEqual([...bytes], [1, 2, 3]);
  });
});

describe("decodeFrame()", () => {
  for (const [name, value] of typedArrays()) {
    it(`brings back a ${name} bit by bit`, () => {
      const bytes = bytesOf(value);
      const frame = encodeFrame("k", METADATA, payloadOf(bytes, { dtype: dtypeOf(value) }));
      const { payload } = decodeFrame(frame);
      const back = viewBinary(payload.dtype, payload.bytes);
      assert.equal(Object.getPrototypeOf(back), Object.getPrototypeOf(value));
      assert.deepStrictEqual([...bytesOf(back)], [...bytes]);
    });
  }

  const keys: readonly string[] = [
    ...["", "a", "\0", "a\0b", "../x", "__proto__", "u/1", "trailing. ", "\ufeffbom", "é", "😀"],
    ...["\ud800", "\udc00\ud800", "x\udfff", "k".repeat(4096), "é".repeat(4096), "\x7f", "\x80"],
    ...[
      "k".repeat(95),
      "k".repeat(96),
      "k".repeat(97),
      `${"k".repeat(97)}é`,
      "\ud800".repeat(4096),
    ],
  ];
  for (const key of keys) {
    it(`brings back the key ${JSON.stringify(key).slice(0, 24)} of length ${key.length}`, () => {
      const frame = encodeFrame(key, METADATA, payloadOf(Uint8Array.of(1, 2)));
      const parsed = decodeFrame(frame);
      assert.ok(parsed.key === key);
      assert.deepStrictEqual([...parsed.payload.bytes], [1, 2]);
      assert.deepStrictEqual(parsed.metadata, METADATA);
      assert.ok(decodeFrame(frame, key).key === key);
      for (const other of [`${key}x`, key.slice(1), key.toUpperCase(), "other"]) {
        assert.ok(decodeFrame(frame, other).key === key);
      }
    });
  }

  it("brings back any key, whatever key is expected", () => {
    const units = fc.oneof(fc.nat(0x7f), fc.nat(0xffff));
    const key = fc.array(units, { maxLength: 150 }).map((list) => String.fromCharCode(...list));
    fc.assert(fc.property(key, key, (written, asked) => {
      const frame = encodeFrame(written, METADATA, payloadOf(Uint8Array.of(1)));
      assert.ok(decodeFrame(frame).key === written);
      assert.ok(decodeFrame(frame, asked).key === written);
      const { bytes, utf16 } = encodeKey(written);
      assert.ok(decodeKey(bytes, utf16) === written);
    }));
  });

  it("brings back metadata and payload, whatever they are", () => {
    const time = fc.double({ noNaN: true, noDefaultInfinity: true });
    const input = fc.record({
      createdAt: time,
      times: fc.tuple(fc.double({ noNaN: true }), fc.double({ noNaN: true })),
      version: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
      tags: fc.array(fc.string({ unit: "binary" }), { maxLength: 5 }),
      bytes: fc.uint8Array({ maxLength: 300 }),
      serializer: fc.integer({ min: 1, max: 255 }),
      codec: fc.integer({ min: 1, max: 255 }),
      rawLength: fc.nat(2 ** 32 - 1),
    });
    fc.assert(
      fc.property(
        input,
        ({ createdAt, times, version, tags, bytes, serializer, codec, rawLength }) => {
          const [expiresAt, staleUntil] = times.sort((a, b) => a - b) as [number, number];
          const metadata = { createdAt, expiresAt, staleUntil, version, tags };
          const payload = { bytes, rawLength, serializer, codec, dtype: 0 };
          const parsed = decodeFrame(encodeFrame("k", metadata, payload));
          assert.deepStrictEqual(parsed.metadata, metadata);
          assert.deepStrictEqual({ ...parsed.payload, bytes: [...parsed.payload.bytes] }, {
            ...payload,
            bytes: [...bytes],
          });
        },
      ),
    );
  });

  it("brings back times that never come", () => {
    const metadata = { ...METADATA, expiresAt: Infinity, staleUntil: Infinity };
    const frame = encodeFrame("k", metadata, payloadOf(Uint8Array.of(1)));
    assert.deepStrictEqual(decodeFrame(frame).metadata, metadata);
  });

  it("hands out the payload as a view, from which a Float32Array is one too", () => {
    const vector = Float32Array.of(1, 2, 3);
    const frame = encodeFrame("k", METADATA, payloadOf(bytesOf(vector), { dtype: 11 }));
    const back = viewBinary(11, decodeFrame(frame).payload.bytes) as Float32Array;
    assert.equal(back.buffer, frame.buffer);
    assert.equal(back.byteOffset, 64);
  });

  it("brings the same out of a frame that stands anywhere in a buffer, also of a Buffer", () => {
    const vector = Float64Array.of(1, -2.5);
    const frame = encodeFrame("k", METADATA, payloadOf(bytesOf(vector), { dtype: 12 }));
    for (let offset = 0; offset < 16; offset++) {
      const space = new Uint8Array(frame.length + 32).fill(0xaa);
      space.set(frame, offset);
      for (
        const view of [
          space.subarray(offset, offset + frame.length),
          Buffer.from(space.buffer, offset, frame.length),
        ]
      ) {
        const { key, payload } = decodeFrame(view, "k");
        assert.equal(key, "k");
        assert.deepStrictEqual(viewBinary(12, payload.bytes), vector);
      }
    }
  });

  it("refuses every truncation", () => {
    for (let length = 0; length < SMALL.length; length++) {
      assert.throws(
        () => decodeFrame(SMALL.slice(0, length)),
        (error) => isCacheError(error, "corrupt"),
        `${length} bytes`,
      );
    }
  });

  it("refuses bytes behind the frame", () => {
    assert.throws(
      () => decodeFrame(Uint8Array.of(...SMALL, 0)),
      (error) => isCacheError(error, "corrupt"),
    );
  });

  it("refuses every flipped bit", () => {
    for (let bit = 0; bit < SMALL.length * 8; bit++) {
      const frame = SMALL.slice();
      frame[bit >> 3]! ^= 1 << (bit & 7);
      const code = bit >> 3 === 4 ? "unsupported-format" : "corrupt";
      assert.throws(() => decodeFrame(frame), (error) => isCacheError(error, code), `bit ${bit}`);
    }
  });

  it("refuses any bytes that are no frame", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.throws(() => decodeFrame(bytes), (error) => isCacheError(error));
    }));
  });

  type Change = (view: DataView, frame: Uint8Array) => void;
  const forgeries: readonly [name: string, code: string, message: RegExp, change: Change][] = [
    ["version 2", "unsupported-format", /version 2 /, (view) => view.setUint8(4, 2)],
    ["an unknown flag", "unsupported-format", /flags 2 /, (view) => view.setUint16(54, 2, true)],
    ["an unknown type", "unsupported-format", /type 99 /, (view) => view.setUint8(7, 99)],
    ["no type at all", "unsupported-format", /type 0 /, (view) => view.setUint8(7, 0)],
    ["half an element", "corrupt", /5 bytes are no whole/, (view) => view.setUint8(7, 11)],
    ["a serializer and a type", "corrupt", /both/, (view) => view.setUint8(5, 1)],
    ["a payload longer than the frame", "corrupt", /add up/, (view) => {
      view.setUint32(8, 2 ** 32 - 1, true);
      view.setUint32(12, 2 ** 32 - 1, true);
    }],
    ["a shorter payload", "corrupt", /add up/, (view) => {
      view.setUint32(8, 4, true);
      view.setUint32(12, 4, true);
    }],
    ["two lengths without a codec", "corrupt", /differ/, (view) => view.setUint32(12, 6, true)],
    ["a longer key", "corrupt", /add up/, (view) => view.setUint32(48, 2 ** 32 - 1, true)],
    ["longer tags", "corrupt", /add up/, (view) => view.setUint16(52, 65_535, true)],
    ["a key that runs into the tags", "corrupt", /JSON/, (view) => {
      view.setUint32(48, 4, true);
      view.setUint16(52, 9, true);
    }],
    ["a key that is not UTF-8", "corrupt", /UTF-8/, (_, frame) => frame[73] = 0xff],
    ["half a UTF-16 unit", "corrupt", /half/, (view) => view.setUint16(54, 1, true)],
    ["tags that are not JSON", "corrupt", /not JSON/, (_, frame) => frame[75] = 0x7b],
    ["tags that are not UTF-8", "corrupt", /UTF-8/, (_, frame) => frame[77] = 0xff],
    [
      "tags that are no strings",
      "corrupt",
      /strings/,
      (_, frame) => frame.set(new TextEncoder().encode("[1,2,3,45]"), 75),
    ],
    [
      "tags that are no list",
      "corrupt",
      /strings/,
      (_, frame) => frame.set(new TextEncoder().encode('{"a":"bc"}'), 75),
    ],
    ["created never", "corrupt", /times/, (view) => view.setFloat64(16, NaN, true)],
    ["created at no time", "corrupt", /times/, (view) => view.setFloat64(16, -Infinity, true)],
    ["expiry that is no number", "corrupt", /times/, (view) => view.setFloat64(24, NaN, true)],
    [
      "expiry after the stale time",
      "corrupt",
      /times/,
      (view) => view.setFloat64(24, Infinity, true),
    ],
    ["a stale time that is none", "corrupt", /times/, (view) => view.setFloat64(32, NaN, true)],
    ["a version that is none", "corrupt", /version/, (view) => view.setFloat64(40, NaN, true)],
    ["a version below 0", "corrupt", /version/, (view) => view.setFloat64(40, -1, true)],
    [
      "a version that beats all",
      "corrupt",
      /version/,
      (view) => view.setFloat64(40, Infinity, true),
    ],
  ];
  for (const [name, code, message, change] of forgeries) {
    it(`refuses ${name} under right sums`, () => {
      assert.throws(() => decodeFrame(forged(change)), (error) => {
        assert.ok(isCacheError(error), String(error));
        assert.equal(error.code, code);
        assert.match(error.message, message);
        return true;
      });
    });
  }

  it("takes a frame again whose sums were made right", () => {
    assert.equal(decodeFrame(forged(() => {})).key, "ké");
  });
});

describe("decodeFrameHeader()", () => {
  it("tells lengths and times from the first 64 bytes", () => {
    const header = decodeFrameHeader(SMALL.subarray(0, 64));
    assert.equal(header.frameLength, SMALL.length);
    assert.equal(header.storedLength, 5);
    assert.equal(header.keyLength, 3);
    assert.equal(header.tagsLength, 10);
    assert.equal(header.expiresAt, METADATA.expiresAt);
    assert.equal(header.utf16Key, false);
  });

  it("does not look beyond the header", () => {
    const frame = SMALL.slice();
    frame.fill(0, 64);
    assert.equal(decodeFrameHeader(frame).frameLength, SMALL.length);
  });

  it("adds up lengths beyond 4 GiB", () => {
    const header = decodeFrameHeader(forged((view) => {
      view.setUint32(8, 2 ** 32 - 1, true);
      view.setUint32(12, 2 ** 32 - 1, true);
      view.setUint32(48, 2 ** 32 - 1, true);
    }));
    assert.equal(header.frameLength, 64 + 2 ** 32 + 2 ** 32 - 1 + 10);
  });
});
