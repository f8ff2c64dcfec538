import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CacheEntry } from "../../src/entry/entry.ts";
import { encodeFrame } from "../../src/entry/frame.ts";
import {
  chunkRoom,
  decodeStreamHeader,
  encodeStreamHeader,
  streamHeaderLength,
} from "../../src/entry/stream_frame.ts";
import {
  chunkAt,
  chunkOffset,
  plainValueLength,
  startOfChunk,
} from "../../src/entry/stream_frame_reader.ts";
import { plainFrameLength } from "../../src/entry/stream_frame_writer.ts";
import { isCacheError } from "../../src/errors.ts";
import { codecByName } from "../../src/formats.ts";
import { bytesOfSize } from "../backend_suite/stream_parts.ts";
import { joinBytes, streamFrameOf, streamFrameParts } from "../fakes/stream_frames.ts";
import { GOLDEN_STREAMS, readGoldenStream } from "../fixtures/golden_streams.ts";

async function valueIn(key: string, frame: Uint8Array): Promise<unknown> {
  return await CacheEntry.decode(key, frame).value();
}

function refusal(key: string, frame: Uint8Array): string {
  try {
    CacheEntry.decode(key, frame);
  } catch (error) {
    assert.ok(isCacheError(error), String(error));
    return error.code;
  }
  return "none";
}

describe("golden streams", () => {
  for (const { file, key, value, options } of GOLDEN_STREAMS) {
    it(`CacheEntry.decode() reads ${file}`, async () => {
      const entry = CacheEntry.decode(key, readGoldenStream(file));
      const { createdAt, expiresAt, staleUntil, version, tags } = entry;
      if (options.metadata !== undefined) {
        assert.deepStrictEqual(
          { createdAt, expiresAt, staleUntil, version, tags },
          options.metadata,
        );
      }
      assert.deepStrictEqual(await entry.value(), value);
    });

    // What a codec makes of a text may change with its version; the rest may not.
    if (options.codec === undefined) {
      it(`StreamFrameWriter still writes ${file}`, async () => {
        assert.deepStrictEqual(await streamFrameOf(key, value, options), readGoldenStream(file));
      });
    }
  }
});

describe("streamed frame", () => {
  it("decode() refuses it when it is cut anywhere, or goes on", () => {
    for (const { file, key } of GOLDEN_STREAMS) {
      const frame = readGoldenStream(file);
      for (let length = 0; length < frame.length; length++) {
        assert.equal(refusal(key, frame.slice(0, length)), "corrupt", `${file} of ${length}`);
      }
      assert.equal(refusal(key, joinBytes([frame, new Uint8Array(1)])), "corrupt", file);
    }
  });

  it("decode() refuses it when any bit is flipped", () => {
    for (const { file, key } of GOLDEN_STREAMS) {
      const frame = readGoldenStream(file);
      for (let bit = 0; bit < frame.length * 8; bit++) {
        frame[bit >> 3]! ^= 1 << (bit & 7);
        assert.notEqual(refusal(key, frame), "none", `${file}, bit ${bit & 7} of ${bit >> 3}`);
        frame[bit >> 3]! ^= 1 << (bit & 7);
      }
      assert.equal(refusal(key, frame), "none");
    }
  });

  it("decode() refuses chunks of another frame, in another order, twice, or left out", async () => {
    const parts = await streamFrameParts("key", bytesOfSize(500));
    const others = await streamFrameParts("key", bytesOfSize(500), { id: 0x01020305 });
    const [header, first, second, third, ...rest] = parts as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
      ...Uint8Array[],
    ];
    const end = parts.at(-1)!;
    const variants: Record<string, readonly Uint8Array[]> = {
      "another frame's chunk": [header, first, others[2]!, third, ...rest],
      "another frame's end": [...parts.slice(0, -1), others.at(-1)!],
      "another order": [header, first, third, second, ...rest],
      "a chunk twice": [header, first, second, second, third, ...rest],
      "a chunk left out": [header, first, third, ...rest],
      "an early end": [header, first, second, end],
      "two frames": [...parts, ...others],
    };
    for (const [name, variant] of Object.entries(variants)) {
      assert.equal(refusal("key", joinBytes(variant)), "corrupt", name);
    }
    assert.equal(refusal("key", joinBytes(parts)), "none");
    assert.equal(refusal("other", joinBytes(parts)), "corrupt");
  });

  it("a value's limit is checked before anything is allocated", async () => {
    const frame = await streamFrameOf("key", bytesOfSize(1000));
    const entry = CacheEntry.decode("key", frame);
    assert.throws(() => entry.value(999), (error) => isCacheError(error, "too-large"));
    assert.deepStrictEqual(await entry.value(1000), bytesOfSize(1000));
  });

  it("encode() makes a frame of version 1 of what was read, decoded before or not", async () => {
    for (const decodesFirst of [true, false]) {
      const codec = await codecByName("gzip");
      const value = new TextEncoder().encode("again and again ".repeat(100));
      const frame = await streamFrameOf("key", value, { codec, slotBytes: 640 });
      assert.ok(frame.length < value.length, "it is compressed");
      const entry = CacheEntry.decode("key", frame);
      if (decodesFirst) await entry.value();
      const encoded = await entry.encode();
      assert.equal(encoded[4], 1);
      assert.deepStrictEqual(await valueIn("key", encoded), value);
    }
  });

  it("chunks that do not shrink are stored as they are", async () => {
    const codec = await codecByName("gzip");
    const text = new TextEncoder().encode("again and again ".repeat(60));
    const value = joinBytes([text, bytesOfSize(3000), text]);
    const frame = await streamFrameOf("key", value, { codec, slotBytes: 512 });
    assert.ok(frame.length > 3000 && frame.length < 3000 + 1200, `${frame.length} bytes`);
    assert.deepStrictEqual(await valueIn("key", frame), value);
    const random = await streamFrameOf("key", bytesOfSize(3000), { codec, slotBytes: 512 });
    assert.equal(decodeStreamHeader(random).codec, 0, "and so is the whole frame");
  });

  it("value and layout agree for any key, tags and length", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "binary", maxLength: 300 }),
        fc.array(fc.string(), { maxLength: 3 }),
        fc.nat({ max: 2000 }),
        fc.integer({ min: 2, max: 10 }).map((units) => units * 64),
        async (key, tags, length, slotBytes) => {
          const value = bytesOfSize(length);
          const parts = await streamFrameParts(key, value, { metadata: { tags }, slotBytes });
          const frame = joinBytes(parts);
          const entry = CacheEntry.decode(key, frame);
          assert.deepStrictEqual(await entry.value(), value);
          assert.deepStrictEqual([...entry.tags], tags);
          const header = decodeStreamHeader(frame);
          assert.equal(header.headerLength, streamHeaderLength(key, tags));
          assert.equal(plainFrameLength(header, length), frame.length);
          assert.equal(plainValueLength(header, frame.length), length);
          let at = header.headerLength;
          parts.slice(1, -1).forEach((chunk, index) => {
            assert.equal(chunkOffset(header, index), at);
            assert.ok(index === 0 || at % slotBytes === 0, "later chunks begin with a slot");
            const start = startOfChunk(header, index);
            assert.equal(chunkAt(header, start), index);
            assert.equal(chunkAt(header, start + chunkRoom(header, index) - 1), index);
            at += chunk.length;
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  it("plainValueLength() is undefined for a length that no frame has", async () => {
    const header = decodeStreamHeader(await streamFrameOf("key", bytesOfSize(500)));
    const possible = new Set(
      Array.from({ length: 600 }, (_, length) => plainFrameLength(header, length)),
    );
    for (let length = 0; length < 800; length++) {
      const isPossible = plainValueLength(header, length) !== undefined;
      assert.equal(isPossible, possible.has(length), `${length}`);
    }
  });

  it("decodeStreamHeader() refuses what no writer writes, though its sums be right", () => {
    const metadata = { createdAt: 0, expiresAt: 1, staleUntil: 1, version: 1, tags: [] };
    const layout = { codec: 0, slotBytes: 128, id: 1 };
    const bad: [object, object][] = [
      [{ createdAt: NaN }, {}],
      [{ staleUntil: 0 }, {}],
      [{ version: -1 }, {}],
      [{ version: Infinity }, {}],
      [{}, { slotBytes: 64 }],
      [{}, { slotBytes: 100 }],
      [{}, { slotBytes: 0xffff_ffc0 }],
    ];
    for (const [times, sizes] of bad) {
      const header = encodeStreamHeader("k", { ...metadata, ...times }, { ...layout, ...sizes });
      assert.throws(() => decodeStreamHeader(header), (error) => isCacheError(error, "corrupt"));
    }
  });

  it("a frame of version 1 is not read as one of version 2, nor the other way round", async () => {
    const frame = await streamFrameOf("key", bytesOfSize(300));
    frame[4] = 1;
    assert.equal(refusal("key", frame), "corrupt");
    const bytes = bytesOfSize(300);
    const metadata = { createdAt: 0, expiresAt: 1, staleUntil: 1, version: 1, tags: [] };
    const payload = { bytes, rawLength: 300, serializer: 0, codec: 0, dtype: 1 };
    const whole = encodeFrame("key", metadata, payload);
    whole[4] = 2;
    assert.equal(refusal("key", whole), "corrupt");
  });
});
